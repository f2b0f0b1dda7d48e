//! Energies, forces and stress of the structures of files.

use std::path::{Path, PathBuf};

use genesis_data::formats::FormatChoice;
use genesis_data::ingest::Reject;
use genesis_data::structures::ingest::Structure;
use genesis_data::structures::neighbor_list;
use genesis_data::structures::{StructuresIngest, read_structures};
use genesis_kernels::Kernels;
use genesis_model::equivariant::{Prediction, Wanted};
use genesis_schema::{Frame, GraphBatch};
use serde::Serialize;

use super::error::StructuresError;
use super::errors::{ErrorRow, ErrorTable, compared};
use super::model::StructuresModel;
use super::output::{Written, append_extxyz, write_parquet};

/// How to predict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictOptions {
    /// Files of structures.
    pub inputs: Vec<PathBuf>,
    /// Where predictions go: `.parquet` makes a table, anything else extended XYZ.
    pub output: PathBuf,
    /// Format of the inputs.
    pub format: FormatChoice,
    /// Atoms of one batch at most; changes memory and speed only.
    pub max_atoms: usize,
    /// Head to use for structures that name none.
    pub head: Option<String>,
}

/// What was predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictReport {
    /// Structures predicted.
    pub structures: u64,
    /// Their atoms.
    pub atoms: u64,
    /// Errors against the labels that the inputs have, by file.
    pub errors: Vec<ErrorRow>,
    /// Records that could not be understood.
    #[serde(skip)]
    pub rejects: Vec<Reject>,
}

/// Predicts every structure of the inputs with `model` and writes them in their order.
///
/// # Errors
/// [`StructuresError`] naming file and line of a structure that does not fit the network, such as one
/// with an unknown element; nothing is written then.
pub fn predict_file<B: Kernels>(
    model: &StructuresModel<B>,
    options: &PredictOptions,
) -> Result<PredictReport, StructuresError> {
    let plan = StructuresIngest {
        format: options.format,
        labels: Vec::new(),
        allow_missing_labels: true,
        cutoff: model.cutoff(),
        ..StructuresIngest::new(options.inputs.clone(), PathBuf::new())
    };
    let (mut structures, rejects) = read_structures(&plan)?;
    if structures.is_empty() {
        let place = options.inputs.iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
        return Err(StructuresError::Nothing {
            place: place.join(", "),
            problem: "no structure that can be read".to_owned(),
        });
    }
    if let Some(head) = &options.head {
        let unnamed = structures.iter_mut().filter(|it| it.frame.head.is_empty());
        unnamed.for_each(|it| it.frame.head.clone_from(head));
    }
    let mut predicted = Vec::with_capacity(structures.len());
    let mut table = ErrorTable::default();
    for range in chunks(&structures, options.max_atoms) {
        let chunk = &structures[range];
        let (batch, found) = predict_all(model, chunk)?;
        for (frame, structure) in compared(&batch, &found).zip(chunk) {
            table.add(&set_of(structure), &frame);
            predicted.push((frame.energy, frame.forces.map(<[_]>::to_vec), frame.stress));
        }
    }
    let written: Vec<Written<'_>> = structures
        .iter()
        .zip(&predicted)
        .map(|(structure, (energy, forces, stress))| Written {
            frame: &structure.frame,
            energy: *energy,
            forces: forces.as_deref(),
            stress: *stress,
            velocities: None,
            info: Vec::new(),
        })
        .collect();
    write(&options.output, &written)?;
    Ok(PredictReport {
        structures: structures.len() as u64,
        atoms: structures.iter().map(|it| it.frame.atomic_numbers.len() as u64).sum(),
        errors: table.rows().into_iter().filter(has_labels).collect(),
        rejects,
    })
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

fn set_of(structure: &Structure) -> String {
    structure.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn has_labels(row: &ErrorRow) -> bool {
    row.energy_rmse_mev.is_some()
        || row.forces_rmse_mev_per_a.is_some()
        || row.stress_rmse_mev_per_a3.is_some()
}

fn write(path: &Path, written: &[Written<'_>]) -> Result<(), StructuresError> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
        return write_parquet(path, written);
    }
    let mut text = String::new();
    for structure in written {
        append_extxyz(&mut text, structure);
    }
    std::fs::write(path, text).map_err(StructuresError::io(path, "write"))
}
