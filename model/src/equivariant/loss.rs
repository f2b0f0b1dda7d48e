//! What training minimises, as a number on the host; `gradients` has the same on the device.
//!
//! ```text
//! loss     λE / G  sum over structures w wE ρ((E - Ê) / n)
//!        + λF / 3N sum over force components w wF ρ(F - F̂)
//!        + λS / 9G sum over stress components w wS ρ(σ - σ̂)
//! weighted  ρ(x) = x^2
//! huber     ρ(x) = x^2 / 2 where |x| < δ, else δ (|x| - δ / 2)
//! universal as huber, but forces have δ times 1, 0.7, 0.4, 0.1 where |F̂| of the atom is below
//!           100, 200, 300 eV/Å and above
//! ```
//!
//! A structure without a label has weight 0 and still counts in the mean, as in mace-torch. `G` and
//! `N` are those of the whole batch: a slice of it divides by the same numbers, so that slices sum
//! to the loss. One difference from mace-torch: its `universal` multiplies both sides of a residual
//! by the weight before ρ; here the weight multiplies ρ, the same for weights 0 and 1.

use genesis_schema::atoms::{Frame, GraphBatch, Matrix, Vector};

use super::{error::GraphError, predict::Prediction};

/// The loss of a run.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Shape of the penalty.
    pub penalty: Penalty,
    /// λE
    pub energy_weight: f64,
    /// λF
    pub forces_weight: f64,
    /// λS; 0 when stress is not learned.
    pub stress_weight: f64,
}

/// How much a residual costs.
#[derive(
    Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Penalty {
    /// Its square.
    Weighted {},
    /// Its square near zero, its size beyond.
    Huber {
        /// Where the square ends, in the unit of the residual.
        delta: f64,
    },
    /// As Huber, for forces the smaller the larger the reference is.
    Universal {
        /// Where the square ends, in the unit of the residual.
        delta: f64,
    },
}

/// What the sums of a loss are divided by: the sizes of the whole batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossCounts {
    /// Structures, `G`.
    pub graphs: f64,
    /// Atoms, `N`.
    pub atoms: f64,
}

/// The terms of a loss with their λ; they add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossTerms {
    /// Energies.
    pub energy: f64,
    /// Forces.
    pub forces: f64,
    /// Stress.
    pub stress: f64,
}

impl LossTerms {
    /// The loss.
    pub fn total(&self) -> f64 {
        self.energy + self.forces + self.stress
    }
}

impl LossCounts {
    /// Sizes of a batch that is a whole one.
    pub fn of(batch: &GraphBatch) -> Self {
        Self { graphs: batch.num_frames() as f64, atoms: batch.num_atoms() as f64 }
    }
}

impl Penalty {
    /// Where the square of a force residual ends for a reference force; none for plain squares.
    pub(super) fn force_delta(self, reference: &Vector) -> Option<f64> {
        match self {
            Self::Weighted {} => None,
            Self::Huber { delta } => Some(delta),
            Self::Universal { delta } => Some(delta * universal_factor(reference)),
        }
    }

    /// The same for energies and stress.
    pub(super) fn delta(self) -> Option<f64> {
        match self {
            Self::Weighted {} => None,
            Self::Huber { delta } | Self::Universal { delta } => Some(delta),
        }
    }
}

fn universal_factor(force: &Vector) -> f64 {
    let size = force.iter().map(|x| x * x).sum::<f64>().sqrt();
    match size {
        size if size < 100.0 => 1.0,
        size if size < 200.0 => 0.7,
        size if size < 300.0 => 0.4,
        _ => 0.1,
    }
}

/// ρ
fn cost(residual: f64, delta: Option<f64>) -> f64 {
    let size = residual.abs();
    match delta {
        None => size * size,
        Some(delta) if size < delta => 0.5 * size * size,
        Some(delta) => delta * (size - 0.5 * delta),
    }
}

/// Labels of a batch with the weights of their terms: zero where there is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Targets {
    /// `[G]` eV
    pub(super) energies: Vec<f64>,
    /// `[G]`
    pub(super) energy_weights: Vec<f64>,
    /// `[N]` eV/Å
    pub(super) forces: Vec<Vector>,
    /// `[N]`
    pub(super) forces_weights: Vec<f64>,
    /// `[G]` eV/Å^3
    pub(super) stress: Vec<Matrix>,
    /// `[G]`
    pub(super) stress_weights: Vec<f64>,
}

impl Targets {
    /// # Errors
    /// [`GraphError::StressWithoutCell`] if stress counts and a structure has it without a cell.
    pub(super) fn new(loss: &LossConfig, batch: &GraphBatch) -> Result<Self, GraphError> {
        let frames = &batch.frames;
        if loss.stress_weight > 0.0 {
            frames.iter().zip(&batch.frame_ids).try_for_each(check_stress)?;
        }
        let weight = |labelled: bool, own: f64, frame: &Frame| {
            if labelled { own * frame.weights.config } else { 0.0 }
        };
        let forces_of = |frame: &Frame| match &frame.labels.forces {
            Some(forces) => forces.clone(),
            None => vec![[0.0; 3]; frame.atomic_numbers.len()],
        };
        let forces_weight = |frame: &Frame| {
            let weight = weight(frame.labels.forces.is_some(), frame.weights.forces, frame);
            vec![weight; frame.atomic_numbers.len()]
        };
        let energy_weight =
            |frame: &Frame| weight(frame.labels.energy.is_some(), frame.weights.energy, frame);
        let stress_weight =
            |frame: &Frame| weight(frame.labels.stress.is_some(), frame.weights.stress, frame);
        Ok(Self {
            energies: frames.iter().map(|f| f.labels.energy.unwrap_or(0.0)).collect(),
            energy_weights: frames.iter().map(energy_weight).collect(),
            forces: frames.iter().flat_map(forces_of).collect(),
            forces_weights: frames.iter().flat_map(forces_weight).collect(),
            stress: frames.iter().map(|f| f.labels.stress.unwrap_or_default()).collect(),
            stress_weights: frames.iter().map(stress_weight).collect(),
        })
    }
}

fn check_stress((frame, &id): (&Frame, &u64)) -> Result<(), GraphError> {
    if frame.labels.stress.is_none() || frame.periodic == [true; 3] {
        return Ok(());
    }
    Err(GraphError::StressWithoutCell { frame: id, periodic: frame.periodic })
}

impl LossConfig {
    /// The loss of a prediction. Forces and stress that were not predicted cost nothing, so ask
    /// for those that have a weight.
    ///
    /// # Errors
    /// [`GraphError::StressWithoutCell`] if a structure has a stress label without a cell.
    pub fn evaluate(
        &self,
        prediction: &Prediction,
        batch: &GraphBatch,
        counts: LossCounts,
    ) -> Result<LossTerms, GraphError> {
        let targets = Targets::new(self, batch)?;
        Ok(LossTerms {
            energy: self.energy_weight * self.energies(prediction, batch, &targets) / counts.graphs,
            forces: self.forces_weight * self.forces(prediction, &targets) / (3.0 * counts.atoms),
            stress: self.stress_weight * self.stress(prediction, &targets) / (9.0 * counts.graphs),
        })
    }

    fn energies(&self, prediction: &Prediction, batch: &GraphBatch, targets: &Targets) -> f64 {
        let pairs = prediction.energies.iter().zip(&targets.energies);
        let weighted = pairs.zip(&targets.energy_weights).zip(&batch.frames);
        let of_frame = |(((got, want), weight), frame): (((&f64, &f64), &f64), &Frame)| {
            weighted_cost(*weight, || {
                cost((got - want) / frame.atomic_numbers.len() as f64, self.penalty.delta())
            })
        };
        weighted.map(of_frame).sum()
    }

    fn forces(&self, prediction: &Prediction, targets: &Targets) -> f64 {
        let predicted = prediction.forces.iter().flatten();
        let pairs = predicted.zip(&targets.forces).zip(&targets.forces_weights);
        let of_atom = |((got, want), weight): ((&Vector, &Vector), &f64)| {
            let delta = self.penalty.force_delta(want);
            let sum = || got.iter().zip(want).map(|(got, want)| cost(got - want, delta)).sum();
            weighted_cost(*weight, sum)
        };
        pairs.map(of_atom).sum()
    }

    fn stress(&self, prediction: &Prediction, targets: &Targets) -> f64 {
        let predicted = prediction.stress.iter().flatten();
        let pairs = predicted.zip(&targets.stress).zip(&targets.stress_weights);
        let of_frame = |((got, want), weight): ((&Option<Matrix>, &Matrix), &f64)| {
            let got = got.unwrap_or_default();
            let components = got.iter().flatten().zip(want.iter().flatten());
            let sum = || components.map(|(got, want)| cost(got - want, self.penalty.delta())).sum();
            weighted_cost(*weight, sum)
        };
        pairs.map(of_frame).sum()
    }
}

/// What has no weight costs nothing, whatever it is.
fn weighted_cost(weight: f64, cost: impl FnOnce() -> f64) -> f64 {
    if weight == 0.0 { 0.0 } else { weight * cost() }
}
