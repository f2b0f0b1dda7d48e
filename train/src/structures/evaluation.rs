//! The table at the end of a run: the best checkpoint on the validation split and on every test
//! file, with what the report draws. Written to the run folder as [`EVALUATION_FILE`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use genesis_data::dataset::Split;
use genesis_data::structures::StructuresLoader;
use genesis_data::structures::{StructuresCorpus, StructuresDataset};
use genesis_kernels::Kernels;
use genesis_model::equivariant::{LossCounts, Prediction, Wanted};
use genesis_schema::{Frame, GraphBatch};
use serde::{Deserialize, Serialize};

use super::error::StructuresError;
use super::errors::{ALL, Compared, ErrorRow, ErrorTable, compared};
use super::measure::Measuring;
use super::model::StructuresModel;
use super::parity::Parity;
use super::plan::StructuresPlan;
use super::task::{self, VALIDATION};
use crate::report::Section;
use crate::report::parity::ParityPlot;
use crate::trainer::Share;

/// The table in the run folder.
pub const EVALUATION_FILE: &str = "evaluation.json";

/// What was measured at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Folder of the checkpoint that was measured.
    pub checkpoint: String,
    /// Updates done.
    pub step: u64,
    /// Errors by set and kind of structure.
    pub rows: Vec<ErrorRow>,
    /// What the report draws.
    pub plots: Vec<ParityPlot>,
}

/// Measures the best checkpoint of the run of `plan`, on `device`, on validation and test structures, and writes
/// the result into the run folder. `None` when `stop` was set meanwhile.
///
/// # Errors
/// [`StructuresError`]: no valid checkpoint, structures that cannot be read, a file that cannot be
/// written.
pub fn evaluate_run<B: Kernels>(
    plan: &StructuresPlan,
    corpus: &StructuresCorpus,
    device: &B::Device,
    stop: &AtomicBool,
) -> Result<Option<EvaluationReport>, StructuresError> {
    let run_dir = &plan.config.run.dir;
    let model = StructuresModel::open(run_dir)?.on::<B>(device);
    let loader = task::loader(plan, corpus, Share::whole())?;
    let several = plan.blend.measured.len() > 1;
    let mut sums = Sums { model: &model, table: ErrorTable::default(), parity: BTreeMap::new() };
    for split in [Split::Validation, Split::Test] {
        for place in plan.blend.measured_in(corpus) {
            if !sums.measure(plan, (&loader, place), (split, several), stop)? {
                return Ok(None);
            }
        }
    }
    let report = EvaluationReport {
        checkpoint: model.source.path.display().to_string(),
        step: model.source.step.unwrap_or_default(),
        rows: sums.table.rows(),
        plots: sums.parity.iter().flat_map(|(set, parity)| parity.plots(set)).collect(),
    };
    write(&report, run_dir)?;
    Ok(Some(report))
}

struct Sums<'a, B: Kernels> {
    model: &'a StructuresModel<B>,
    table: ErrorTable,
    parity: BTreeMap<String, Parity>,
}

impl<B: Kernels> Sums<'_, B> {
    /// Measures a split of the source with an index, in sets that have its name too if there are `several`; false
    /// when `stop` was set meanwhile.
    fn measure(
        &mut self,
        plan: &StructuresPlan,
        (loader, place): (&StructuresLoader, usize),
        (split, several): (Split, bool),
        stop: &AtomicBool,
    ) -> Result<bool, StructuresError> {
        let source = &loader.corpus().members()[place];
        let card = source.dataset.card().part.splits.get(split);
        if card.frames == 0 {
            return Ok(true);
        }
        let (blueprint, params) = (&self.model.blueprint, &self.model.params);
        let loss = plan.config.objective.loss();
        let measuring = Measuring {
            blueprint,
            params,
            wanted: Wanted { forces: true, stress: card.with_stress > 0 },
            loss: &loss,
            counts: LossCounts { graphs: card.frames as f64, atoms: card.atoms as f64 },
        };
        let mut sets = sets(&source.dataset, split)?;
        if several {
            for set in &mut sets {
                *set = format!("{}: {set}", source.name);
            }
        }
        let (table, parity) = (&mut self.table, &mut self.parity);
        let visit = |batch: &GraphBatch, prediction: &Prediction| {
            for (frame, id) in compared(batch, prediction).zip(&batch.frame_ids) {
                let set = &sets[usize::try_from(*id).expect("as many as fit the memory")];
                let alone = isolated_energy(self.model, frame.frame);
                add(table, parity, set, &frame, alone);
            }
        };
        Ok(measuring.run(loader.evaluation_of(place, split, None), stop, visit)?.is_some())
    }
}

fn add(
    table: &mut ErrorTable,
    parity: &mut BTreeMap<String, Parity>,
    set: &str,
    frame: &Compared<'_>,
    alone: f64,
) {
    table.add(set, frame);
    parity.entry(set.to_owned()).or_default().add(frame, alone);
}

/// Energy of the atoms of a structure alone, by its head, eV.
fn isolated_energy<B: Kernels>(model: &StructuresModel<B>, frame: &Frame) -> f64 {
    let config = model.blueprint.config();
    let head = config.heads.iter().position(|known| *known == frame.head).unwrap_or(0);
    let energies = &config.atomic_energies_ev[head];
    let places = frame.atomic_numbers.iter().filter_map(|&number| config.species(number));
    places.map(|place| energies[place]).sum()
}

/// The set of every structure of a split: `validation`, or the name of its test file.
fn sets(dataset: &StructuresDataset, split: Split) -> Result<Vec<String>, StructuresError> {
    let count = dataset.num_frames(split);
    if split == Split::Validation {
        return Ok((0..count).map(|_| VALIDATION.to_owned()).collect());
    }
    let names: Vec<String> =
        dataset.card().sources.iter().map(|source| stem(&source.path)).collect();
    (0..count)
        .map(|index| {
            let source = dataset.frame(split, index)?.source as usize;
            Ok(names.get(source).cloned().unwrap_or_else(|| split.name().to_owned()))
        })
        .collect()
}

/// The name of a file without folder and endings.
fn stem(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn write(report: &EvaluationReport, run_dir: &Path) -> Result<(), StructuresError> {
    let path = run_dir.join(EVALUATION_FILE);
    let table = |reason: String| StructuresError::Table { path: path.clone(), reason };
    let text = serde_json::to_vec(report).map_err(|error| table(error.to_string()))?;
    let temporary = run_dir.join("evaluation.json.tmp");
    std::fs::write(&temporary, text).map_err(StructuresError::io(&temporary, "write"))?;
    std::fs::rename(&temporary, &path).map_err(StructuresError::io(&path, "replace"))
}

/// What the page of a run shows of its [`EVALUATION_FILE`], if it has one that can be read.
pub(super) fn sections(run_dir: &Path) -> Vec<Section> {
    let text = std::fs::read_to_string(run_dir.join(EVALUATION_FILE)).ok();
    let report = text.and_then(|text| serde_json::from_str::<EvaluationReport>(&text).ok());
    report.map_or_else(Vec::new, |report| vec![table(&report), Section::Parity(report.plots)])
}

/// The errors as a table.
fn table(report: &EvaluationReport) -> Section {
    let columns = [
        "set",
        "structures",
        "energy, meV/atom",
        "energy, meV",
        "forces, meV/Å",
        "stress, meV/Å^3",
    ];
    let cells = |row: &ErrorRow| {
        let kind = match row.config_type.as_str() {
            ALL => row.set.clone(),
            kind => format!("{}: {} {kind}", row.set, row.head),
        };
        let errors = [
            row.energy_rmse_mev_per_atom,
            row.energy_rmse_mev,
            row.forces_rmse_mev_per_a,
            row.stress_rmse_mev_per_a3,
        ];
        let number = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.2}"));
        [kind, row.frames.to_string()].into_iter().chain(errors.map(number)).collect()
    };
    Section::Table {
        title: "Errors".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: report.rows.iter().map(cells).collect(),
        note: format!(
            "Root mean squares of predicted minus reference, checkpoint of step {}.",
            report.step
        ),
    }
}
