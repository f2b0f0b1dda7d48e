//! Energies, forces and stress of the structures of files.

use std::path::PathBuf;

use genesis_data::ingest::Reject;
use genesis_data::structures::ingest::Structure;
use genesis_data::structures::{neighbor_list, read_structures};
use genesis_kernels::Kernels;
use genesis_model::equivariant::{Prediction, Wanted};
use genesis_schema::{Frame, GraphBatch};
use serde::Serialize;

use super::error::StructuresError;
use super::errors::{Compared, ErrorRow, ErrorTable, compared};
use super::model::StructuresModel;
use super::output::{Named, OutputFormat, Written, write_all};
use super::plan::free_atoms_are_exact;
use super::reading::Reading;

/// How to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictOptions {
    /// Files of structures.
    pub inputs: Vec<PathBuf>,
    /// Where predictions go, in the format of its extension.
    pub output: PathBuf,
    /// How the inputs are read.
    pub reading: Reading,
    /// What the names of results begin with, `energy`, `forces` and `stress` following.
    pub prefix: String,
    /// Atoms of one batch at most; changes memory and speed only.
    pub max_atoms: usize,
    /// Head to use for structures that name none.
    pub head: Option<String>,
}

/// What results begin with unless told otherwise.
pub const PREFIX: &str = "predicted_";

/// What was predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictReport {
    /// Structures predicted.
    pub structures: u64,
    /// Their atoms.
    pub atoms: u64,
    /// Errors against the labels that the inputs have, by file.
    pub errors: Vec<ErrorRow>,
    /// Records that could not be understood and are not among the predictions.
    pub rejects: Vec<Reject>,
    /// Labels that two keys of a structure contradict; nothing is compared with them.
    pub conflicts: Vec<String>,
    /// Free atoms, whose energies this network gives otherwise than as E0.
    pub shifted_free_atoms: u64,
}

/// Predicts every structure of the inputs with `model` and writes them in their order, with all that
/// came in.
///
/// # Errors
/// [`StructuresError`] naming file and line of a structure that does not fit the network, such as one
/// with an unknown element, or has a result's name already; an extension of no format. Nothing is
/// written then.
pub fn predict_file<B: Kernels>(
    model: &StructuresModel<B>,
    options: &PredictOptions,
) -> Result<PredictReport, StructuresError> {
    OutputFormat::of(&options.output)?;
    let (structures, rejects) = read(model, options)?;
    check_names(&structures, &options.prefix)?;
    let mut written = Vec::with_capacity(structures.len());
    let table = predict_each(model, &structures, options.max_atoms, &mut |found| {
        let name = |quantity: &str| format!("{}{quantity}", options.prefix);
        let mut results = vec![Named::Number(name("energy"), found.energy)];
        results.extend(found.forces.map(|it| Named::Vectors(name("forces"), it.to_vec())));
        results.extend(found.stress.map(|it| Named::Tensor(name("stress"), it)));
        written.push(results);
    })?;
    let all = structures.iter().zip(written).map(|(structure, results)| Written {
        frame: &structure.frame,
        raw: &structure.raw,
        outdated: &[],
        results,
    });
    write_all(&options.output, &all.collect::<Vec<_>>())?;
    Ok(report(model, &structures, &table, rejects))
}

/// Predicts every structure of the inputs and compares it with its labels; writes nothing.
///
/// # Errors
/// As [`predict_file`]; labels that contradict each other.
pub fn measure_files<B: Kernels>(
    model: &StructuresModel<B>,
    options: &PredictOptions,
) -> Result<PredictReport, StructuresError> {
    let (structures, rejects) = read(model, options)?;
    if let Some(problem) = conflicts(&structures).first() {
        let (place, problem) = problem.clone();
        return Err(StructuresError::Contradiction { place, problem });
    }
    let table = predict_each(model, &structures, options.max_atoms, &mut |_| ())?;
    Ok(report(model, &structures, &table, rejects))
}

fn read<B: Kernels>(
    model: &StructuresModel<B>,
    options: &PredictOptions,
) -> Result<(Vec<Structure>, Vec<Reject>), StructuresError> {
    let plan = options.reading.plan(options.inputs.clone(), model.cutoff());
    let (mut structures, rejects) = read_structures(&plan)?;
    if structures.is_empty() {
        let place = options.inputs.iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
        let why: Vec<String> = rejects.iter().take(3).map(|it| format!("\n  {it}")).collect();
        return Err(StructuresError::Nothing {
            place: place.join(", "),
            problem: format!("no structure that can be read{}", why.concat()),
        });
    }
    if let Some(head) = &options.head {
        let unnamed = structures.iter_mut().filter(|it| it.frame.head.is_empty());
        unnamed.for_each(|it| it.frame.head.clone_from(head));
    }
    Ok((structures, rejects))
}

/// Labels that contradict each other, with file and line.
fn conflicts(structures: &[Structure]) -> Vec<(String, String)> {
    let of = |it: &Structure| {
        let place = place_of(it);
        it.conflicts.iter().map(|problem| (place.clone(), problem.clone())).collect::<Vec<_>>()
    };
    structures.iter().flat_map(of).collect()
}

/// Refuses structures that have a value under a result's name.
fn check_names(structures: &[Structure], prefix: &str) -> Result<(), StructuresError> {
    for structure in structures {
        let taken = ["energy", "forces", "stress"].map(|it| format!("{prefix}{it}"));
        if let Some(key) = taken.into_iter().find(|key| structure.raw.has(key)) {
            return Err(StructuresError::Taken { place: place_of(structure), key });
        }
    }
    Ok(())
}

/// Gives every prediction to `visit`, in order, and compares it with its labels.
fn predict_each<B: Kernels>(
    model: &StructuresModel<B>,
    structures: &[Structure],
    max_atoms: usize,
    visit: &mut dyn FnMut(Compared<'_>),
) -> Result<ErrorTable, StructuresError> {
    let mut table = ErrorTable::default();
    for range in chunks(structures, max_atoms) {
        let chunk = &structures[range];
        let (batch, found) = predict_all(model, chunk)?;
        for (frame, structure) in compared(&batch, &found).zip(chunk) {
            table.add(&set_of(structure), &frame);
            visit(frame);
        }
    }
    Ok(table)
}

fn report<B: Kernels>(
    model: &StructuresModel<B>,
    structures: &[Structure],
    table: &ErrorTable,
    rejects: Vec<Reject>,
) -> PredictReport {
    let exact = free_atoms_are_exact(model.blueprint.config());
    let free = structures.iter().filter(|it| !exact && is_free_atom(&it.frame, model.cutoff()));
    PredictReport {
        shifted_free_atoms: free.count() as u64,
        structures: structures.len() as u64,
        atoms: structures.iter().map(|it| it.frame.atomic_numbers.len() as u64).sum(),
        errors: table.rows().into_iter().filter(has_labels).collect(),
        conflicts: conflicts(structures)
            .into_iter()
            .map(|(place, it)| format!("{place}: {it}"))
            .collect(),
        rejects,
    }
}

fn is_free_atom(frame: &Frame, cutoff: f64) -> bool {
    let Frame { atomic_numbers, positions, cell, periodic, .. } = frame;
    let alone = || neighbor_list(positions, cell, *periodic, cutoff).is_ok_and(|it| it.is_empty());
    atomic_numbers.len() == 1 && alone()
}

/// Ranges of structures with at most `max_atoms` atoms each, or of one larger structure.
fn chunks(structures: &[Structure], max_atoms: usize) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut atoms) = (0, 0);
    for (at, structure) in structures.iter().enumerate() {
        let size = structure.frame.atomic_numbers.len();
        if at > start && atoms + size > max_atoms {
            ranges.push(start..at);
            (start, atoms) = (at, 0);
        }
        atoms += size;
    }
    ranges.push(start..structures.len());
    ranges
}

/// A structure alone as a batch, with its neighbours.
pub(super) fn batch_of(
    batch: &mut GraphBatch,
    frame: Frame,
    cutoff: f64,
    place: impl Fn() -> String,
) -> Result<(), StructuresError> {
    let edges = neighbor_list(&frame.positions, &frame.cell, frame.periodic, cutoff)
        .map_err(|source| StructuresError::Neighbors { place: place(), source })?;
    let id = batch.num_frames() as u64;
    batch.push(frame, &edges, id);
    Ok(())
}

fn predict_all<B: Kernels>(
    model: &StructuresModel<B>,
    structures: &[Structure],
) -> Result<(GraphBatch, Prediction), StructuresError> {
    let mut batch = GraphBatch::default();
    for structure in structures {
        batch_of(&mut batch, structure.frame.clone(), model.cutoff(), || place_of(structure))?;
    }
    match model.predict(&batch, Wanted { forces: true, stress: true }) {
        Ok(found) => Ok((batch, found)),
        Err(error) => Err(locate(model, structures, error)),
    }
}

/// The same error with file and line: the first structure that fails alone.
fn locate<B: Kernels>(
    model: &StructuresModel<B>,
    structures: &[Structure],
    error: StructuresError,
) -> StructuresError {
    for structure in structures {
        let mut alone = GraphBatch::default();
        let place = || place_of(structure);
        if batch_of(&mut alone, structure.frame.clone(), model.cutoff(), place).is_err() {
            continue;
        }
        let wanted = Wanted { forces: false, stress: false };
        if let Err(StructuresError::Graph(source)) = model.predict(&alone, wanted) {
            return StructuresError::Structure { place: place(), source };
        }
    }
    error
}

fn place_of(structure: &Structure) -> String {
    format!("{}:{}", structure.file.display(), structure.line)
}

/// The name of its file without folder and endings.
fn set_of(structure: &Structure) -> String {
    let packed = structure.file.extension().is_some_and(|it| it.eq_ignore_ascii_case("gz"));
    let plain = if packed { structure.file.with_extension("") } else { structure.file.clone() };
    plain.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn has_labels(row: &ErrorRow) -> bool {
    row.energy_rmse_mev.is_some()
        || row.forces_rmse_mev_per_a.is_some()
        || row.stress_rmse_mev_per_a3.is_some()
}
