//! Errors of a trained model of structures: at the end of its run, and measured again.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use genesis_data::ingest::Reject;
use genesis_data::structures::StructuresCorpus;
use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;
use genesis_train::keys::environment;
use genesis_train::structures::settings::StructuresData;
use genesis_train::structures::{
    ErrorRow, EvaluationReport, PredictOptions, PredictReport, StructuresConfig, StructuresModel,
    StructuresPlan, evaluate_run, measure_files, resolve_structures,
};

use super::options::ReadingArgs;
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::family::{Evaluation, plan_of_run};

/// Atoms of one batch at most.
const MAX_ATOMS: usize = 1000;

/// A run whose best checkpoint is about to be measured.
struct Evaluating<'a> {
    plan: &'a StructuresPlan,
    corpus: &'a StructuresCorpus,
    stop: &'a AtomicBool,
}

impl OnDevice for Evaluating<'_> {
    type Output = anyhow::Result<Option<EvaluationReport>>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        evaluate_run::<B>(self.plan, self.corpus, device, self.stop).or_exit(Code::Data)
    }
}

/// Measures the best checkpoint of a run that is done, unless it is stopped.
pub(super) fn conclude(
    plan: &StructuresPlan,
    corpus: &StructuresCorpus,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let device = DeviceArgs { device: plan.config.run.device };
    if let Some(report) = device.run(Evaluating { plan, corpus, stop })? {
        show_evaluation(&report);
    }
    Ok(())
}

/// Measures the best checkpoint of a run again, on its own dataset or another one.
pub(super) fn run(asked: &Evaluation<'_>) -> anyhow::Result<()> {
    let usage = |message: &str| Failure::error(Code::Usage, message);
    if let Some(files) = asked.data.filter(|path| path.is_file()) {
        return measure(asked, files);
    }
    if asked.reading != Default::default() {
        return Err(usage("--units and --set are for files of structures named by --data"));
    }
    let Some(file) = plan_of_run(asked.model)? else {
        return Err(usage(
            "a model of structures is measured with the settings of its run: name the run folder, or \
             files of structures as --data",
        ));
    };
    let mut config: StructuresConfig = file.check(&environment).or_exit(Code::Usage)?;
    // The folder may have been moved since.
    config.run.dir = asked.model.to_path_buf();
    if let Some(other) = asked.data {
        config.data =
            StructuresData { dataset: Some(other.to_path_buf()), ..StructuresData::default() };
    }
    let folders = config.data.folders(&config.run.dir);
    let corpus = StructuresCorpus::open(&folders).or_exit(Code::Data)?;
    let plan = resolve_structures(config, &corpus).or_exit(Code::Usage)?;
    asked.device.require_dtype(plan.dtype, "this run")?;
    let work = Evaluating { plan: &plan, corpus: &corpus, stop: asked.stop };
    let report = asked.found(asked.device.run(work)?, "there is no structure to measure on")?;
    if asked.json {
        console::result(serde_json::to_string(&report.rows)?);
    } else {
        show_evaluation(&report);
    }
    Ok(())
}

/// Files of structures that are about to be predicted and compared.
struct Measuring {
    model: StructuresModel,
    options: PredictOptions,
}

impl OnDevice for Measuring {
    type Output = anyhow::Result<PredictReport>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        measure_files(&self.model.on::<B>(device), &self.options).or_exit(Code::Data)
    }
}

fn reading_args(asked: &Evaluation<'_>) -> ReadingArgs {
    let (units, options) = asked.reading;
    ReadingArgs { units: units.map(str::to_owned), options: options.to_vec() }
}

/// Measures a model on files of structures: their labels against what it predicts.
fn measure(asked: &Evaluation<'_>, files: &Path) -> anyhow::Result<()> {
    let model = StructuresModel::open(asked.model).or_exit(Code::Data)?;
    let options = PredictOptions {
        inputs: vec![files.to_path_buf()],
        output: PathBuf::new(),
        reading: reading_args(asked).over(&model.reading)?,
        prefix: String::new(),
        max_atoms: MAX_ATOMS,
        head: None,
    };
    asked.device.require_dtype(model.params.dtype(), "this model")?;
    let report = asked.device.run(Measuring { model, options })?;
    show_rejects(&report.rejects);
    if report.errors.is_empty() {
        let message = format!(
            "{}: none of {} structures has a label; --set keys.energy=... names where labels stand",
            files.display(),
            report.structures
        );
        return Err(Failure::error(Code::Data, message));
    }
    if asked.json {
        console::result(serde_json::to_string(&report.errors)?);
    } else {
        show_rows(&report.errors);
    }
    Ok(())
}

/// The table at the end of a run.
fn show_evaluation(report: &EvaluationReport) {
    console::result(format!("errors of {} (root mean squares)", report.checkpoint));
    show_rows(&report.rows);
}

/// Structures that could not be understood: the first, and how many.
pub(super) fn show_rejects(rejects: &[Reject]) {
    for reject in rejects.iter().take(3) {
        console::note(format!("left out: {reject}"));
    }
    if rejects.len() > 3 {
        console::note(format!("left out: {} structures in all", rejects.len()));
    }
}

/// Errors as a table.
pub(super) fn show_rows(rows: &[ErrorRow]) {
    console::result(format!(
        "{:<24}{:>11}{:>14}{:>12}{:>12}{:>16}",
        "set", "structures", "E meV/atom", "E meV", "F meV/Å", "stress meV/Å^3"
    ));
    for row in rows {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let part = if row.config_type == "all" {
            row.set.clone()
        } else {
            format!("  {} {}", row.head, row.config_type)
        };
        console::result(format!(
            "{part:<24}{:>11}{:>14}{:>12}{:>12}{:>16}",
            console::count(row.frames),
            number(row.energy_rmse_mev_per_atom),
            number(row.energy_rmse_mev),
            number(row.forces_rmse_mev_per_a),
            number(row.stress_rmse_mev_per_a3),
        ));
    }
}
