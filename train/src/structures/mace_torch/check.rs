//! A model of mace-torch against reference outputs of that program.
//!
//! The folder holds `config.json`, `model.safetensors` and `frames.extxyz`. The oracle is a
//! safetensors file with, per structure `i`: `i.energy` `[1]`, `i.forces` `[n, 3]`, `i.stress`
//! `[3, 3]` (periodic ones), `i.edge_index` `[2, E]` (senders, receivers), `i.shifts` `[E, 3]`
//! (Cartesian, Å), and of all structures as one batch: `loss` `[1]`, `grad.<parameter>`, `curve`
//! `[K]`. The loss is `mean ((E - E*) / n)^2 + 100 mean (F - F*)^2` with the labels of the frames,
//! the curve that loss before each of `K` steps of `torch.optim.Adam(amsgrad=True)` at rate 5e-3. Everything runs in f64.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use genesis_data::structures::neighbor_list;
use genesis_data::structures::{StructuresIngest, read_structures};
use genesis_model::equivariant::{LossConfig, Penalty, Prediction, Wanted};
use genesis_schema::{Edges, Frame, GraphBatch};
use serde::Serialize;

use super::curve;
use crate::exchange::error::ExchangeError;
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::read_safetensors;
use crate::structures::{StructuresError, StructuresModel};

/// The structures.
const FRAMES: &str = "frames.extxyz";
/// The loss of the oracle's format.
const LOSS: LossConfig = LossConfig {
    penalty: Penalty::Weighted {},
    energy_weight: 1.0,
    forces_weight: 100.0,
    stress_weight: 0.0,
};
/// A parameter's gradient error is relative to its own norm, but at least to this fraction of the
/// norm of all gradients: some gradients are zero but for rounding.
const GRADIENT_FLOOR: f64 = 1e-6;
/// Shifts are whole sums of lattice vectors; this tells two of them apart and forgives rounding, Å.
const SHIFT_GRID: f64 = 1e-5;

/// Distances between a model and an oracle. A figure is absent if the oracle lacks its tensors.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MaceCheckReport {
    /// Largest `|E - oracle| / |oracle|`.
    pub energy_rel: Option<f64>,
    /// Largest difference of a force component, eV/Å.
    pub forces_max_abs: Option<f64>,
    /// Largest difference of a stress component, eV/Å^3; absent without periodic structures.
    pub stress_max_abs: Option<f64>,
    /// Whether all structures have the very edges of the oracle, as sets.
    pub edges_equal: Option<bool>,
    /// `|loss - oracle| / |oracle|`.
    pub loss_rel: Option<f64>,
    /// Largest `||g - oracle|| / max(||oracle||, 1e-6 ||all oracle gradients||)`.
    pub grad_rel_worst: Option<f64>,
    /// Parameter of that gradient.
    pub grad_rel_worst_name: Option<String>,
    /// Largest relative difference of a loss of the curve.
    pub curve_rel_worst: Option<f64>,
    /// Structures compared.
    pub structures: usize,
    /// Gradients compared.
    pub gradients_compared: usize,
    /// Steps of the curve compared.
    pub curve_steps: usize,
}

/// Compares the model in `folder` with the file `oracle`.
///
/// # Errors
/// [`ExchangeError`] naming the file and tensor that is missing, misshapen or of no such model.
pub fn check(folder: &Path, oracle: &Path) -> Result<MaceCheckReport, ExchangeError> {
    let model = StructuresModel::open(folder)?;
    let tensors = read_safetensors(oracle)?;
    let oracle = Oracle { path: oracle.to_path_buf(), tensors };
    let frames = frames(folder, &oracle)?;
    let failed = |error: StructuresError| ExchangeError::unsuitable(folder, error.to_string());
    let (batch, edges) = graphs(&model, &frames).map_err(failed)?;
    let wanted = Wanted { forces: true, stress: true };
    let prediction = model.predict(&batch, wanted).map_err(failed)?;
    let mut report = MaceCheckReport { structures: frames.len(), ..MaceCheckReport::default() };
    compare_predictions(&mut report, &oracle, &batch, &prediction)?;
    report.edges_equal = edges_equal(&oracle, &frames, &edges)?;
    let (loss, gradients) =
        curve::gradients(&model, &model.params, &batch, &LOSS).map_err(failed)?;
    report.loss_rel = oracle.numbers("loss")?.map(|want| relative(loss, want[0]));
    let gradients = gradients.iter().map(|it| crate::checkpoint::host::values_of(it).into_f64());
    let names = model.blueprint.specs().iter().map(|spec| spec.name.clone());
    compare_gradients(&mut report, &oracle, &names.zip(gradients).collect())?;
    if let Some(want) = oracle.numbers("curve")? {
        let got = curve::losses(&model, &batch, &LOSS, want.len()).map_err(failed)?;
        report.curve_steps = want.len();
        report.curve_rel_worst = largest(got.iter().zip(&want).map(|(a, b)| relative(*a, *b)));
    }
    Ok(report)
}

struct Oracle {
    path: PathBuf,
    tensors: BTreeMap<String, StoredTensor>,
}

impl Oracle {
    /// The values of a tensor, `None` without it.
    fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, ExchangeError> {
        let Some(tensor) = self.tensors.get(name) else { return Ok(None) };
        let floats = tensor.as_f64();
        let integers = || tensor.as_i64().map(|all| all.into_iter().map(|it| it as f64).collect());
        match floats.or_else(integers) {
            Some(values) if !values.is_empty() || tensor.shape.contains(&0) => Ok(Some(values)),
            _ => Err(self.wrong(name, &format!("is {} of {:?}", tensor.dtype, tensor.shape))),
        }
    }

    /// As [`Self::numbers`], of an exact length.
    fn exactly(&self, name: &str, length: usize) -> Result<Option<Vec<f64>>, ExchangeError> {
        match self.numbers(name)? {
            Some(values) if values.len() != length => {
                let problem = format!("has {} values, the structure needs {length}", values.len());
                Err(self.wrong(name, &problem))
            }
            other => Ok(other),
        }
    }

    fn wrong(&self, name: &str, problem: &str) -> ExchangeError {
        let fix = "make the oracle and the model from the same program and structures";
        ExchangeError::malformed(&self.path, format!("tensor `{name}` {problem}"), fix)
    }
}

/// The structures of the folder, or of that of the oracle.
fn frames(folder: &Path, oracle: &Oracle) -> Result<Vec<Frame>, ExchangeError> {
    let beside = oracle.path.parent().unwrap_or(Path::new("."));
    let own = folder.join(FRAMES);
    let path = if own.is_file() { own } else { beside.join(FRAMES) };
    let plan = StructuresIngest {
        labels: Vec::new(),
        allow_missing_labels: true,
        ..StructuresIngest::new(vec![path.clone()], PathBuf::new())
    };
    let unsuitable = |problem: String| ExchangeError::unsuitable(&path, problem);
    let (structures, rejects) =
        read_structures(&plan).map_err(|error| unsuitable(error.to_string()))?;
    if let Some(reject) = rejects.first() {
        return Err(unsuitable(format!("line {}: {}", reject.line, reject.detail)));
    }
    Ok(structures.into_iter().map(|structure| structure.frame).collect())
}

/// All structures as one batch, and the edges of each.
fn graphs(
    model: &StructuresModel,
    frames: &[Frame],
) -> Result<(GraphBatch, Vec<Edges>), StructuresError> {
    let mut batch = GraphBatch::default();
    let mut all = Vec::with_capacity(frames.len());
    for (frame, id) in frames.iter().zip(0u64..) {
        let edges =
            neighbor_list(&frame.positions, &frame.cell, frame.periodic, model.cutoff()).map_err(
                |source| StructuresError::Neighbors { place: format!("structure {id}"), source },
            )?;
        batch.push(frame.clone(), &edges, id);
        all.push(edges);
    }
    Ok((batch, all))
}

fn compare_predictions(
    report: &mut MaceCheckReport,
    oracle: &Oracle,
    batch: &GraphBatch,
    prediction: &Prediction,
) -> Result<(), ExchangeError> {
    let (mut energies, mut forces, mut stresses) = (Vec::new(), Vec::new(), Vec::new());
    for (at, frame) in batch.frames.iter().enumerate() {
        let atoms = frame.atomic_numbers.len();
        if let Some(want) = oracle.exactly(&format!("{at}.energy"), 1)? {
            energies.push(relative(prediction.energies[at], want[0]));
        }
        let first = batch.first_atom[at] as usize;
        let predicted = prediction.forces.as_ref().map(|all| &all[first..first + atoms]);
        if let Some(want) = oracle.exactly(&format!("{at}.forces"), 3 * atoms)? {
            forces.extend(distances(predicted.unwrap_or_default(), &want));
        }
        let predicted = prediction.stress.as_ref().and_then(|all| all[at]);
        if let (Some(got), Some(want)) = (predicted, oracle.exactly(&format!("{at}.stress"), 9)?) {
            stresses.extend(distances(&got, &want));
        }
    }
    report.energy_rel = largest(energies.into_iter());
    report.forces_max_abs = largest(forces.into_iter());
    report.stress_max_abs = largest(stresses.into_iter());
    Ok(())
}

/// `|got - want|` of every component.
fn distances(got: &[[f64; 3]], want: &[f64]) -> Vec<f64> {
    got.iter().flatten().zip(want).map(|(got, want)| (got - want).abs()).collect()
}

/// Sender, receiver and Cartesian shift on a fine grid.
type Edge = (u32, u32, [i64; 3]);

#[expect(clippy::cast_possible_truncation, reason = "shifts are far below 2^63 grid steps")]
fn on_grid(shift: [f64; 3]) -> [i64; 3] {
    shift.map(|x| (x / SHIFT_GRID).round() as i64)
}

fn edges_equal(
    oracle: &Oracle,
    frames: &[Frame],
    edges: &[Edges],
) -> Result<Option<bool>, ExchangeError> {
    let mut equal = None;
    for (at, (frame, edges)) in frames.iter().zip(edges).enumerate() {
        let name = format!("{at}.edge_index");
        let Some(ends) = oracle.tensors.get(&name) else { continue };
        let ends = ends.as_i64().ok_or_else(|| oracle.wrong(&name, "holds no integers"))?;
        let count = ends.len() / 2;
        let shifts = oracle.exactly(&format!("{at}.shifts"), 3 * count)?.unwrap_or_default();
        let theirs: BTreeSet<Edge> = (0..count)
            .filter_map(|edge| {
                let shift = [0, 1, 2].map(|axis| shifts.get(3 * edge + axis).copied());
                let shift = on_grid(shift.map(Option::unwrap_or_default));
                let [sender, receiver] = [ends[edge], ends[count + edge]];
                Some((u32::try_from(sender).ok()?, u32::try_from(receiver).ok()?, shift))
            })
            .collect();
        let same = ours(frame, edges) == theirs && theirs.len() == count;
        equal = Some(equal.unwrap_or(true) && same);
    }
    Ok(equal)
}

fn ours(frame: &Frame, edges: &Edges) -> BTreeSet<Edge> {
    let shift = |whole: &[i32; 3]| {
        let part = |axis: usize| {
            (0..3).map(|row| f64::from(whole[row]) * frame.cell[row][axis]).sum::<f64>()
        };
        on_grid([part(0), part(1), part(2)])
    };
    let ends = edges.senders.iter().zip(&edges.receivers).zip(&edges.shifts);
    ends.map(|((&sender, &receiver), whole)| (sender, receiver, shift(whole))).collect()
}

fn compare_gradients(
    report: &mut MaceCheckReport,
    oracle: &Oracle,
    ours: &BTreeMap<String, Vec<f64>>,
) -> Result<(), ExchangeError> {
    let mut wanted = BTreeMap::new();
    for name in oracle.tensors.keys().filter_map(|name| name.strip_prefix("grad.")) {
        let full = format!("grad.{name}");
        let Some(got) = ours.get(name) else {
            return Err(oracle.wrong(&full, "belongs to no parameter of the model"));
        };
        if let Some(values) = oracle.exactly(&full, got.len())? {
            wanted.insert(name, values);
        }
    }
    let total = norm(wanted.values().flatten().copied());
    for (name, want) in &wanted {
        let apart = norm(ours[*name].iter().zip(want).map(|(got, want)| got - want));
        let error = apart / norm(want.iter().copied()).max(GRADIENT_FLOOR * total);
        if report.grad_rel_worst.is_none_or(|worst| error > worst || error.is_nan()) {
            report.grad_rel_worst = Some(error);
            report.grad_rel_worst_name = Some((*name).to_owned());
        }
    }
    report.gradients_compared = wanted.len();
    Ok(())
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

fn relative(got: f64, want: f64) -> f64 {
    let apart = (got - want).abs();
    if apart == 0.0 { 0.0 } else { apart / want.abs() }
}

/// The largest, NaN if any is; `None` of none.
fn largest(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.fold(None, |most: Option<f64>, value| match most {
        Some(most) if most.is_nan() || most >= value => Some(most),
        _ => Some(value),
    })
}
