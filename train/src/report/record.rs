//! What the training loop tells whoever watches it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepRecord {
    /// Optimizer steps done; the first record says 1.
    pub step: u64,
    /// Training loss of this step before the update: mean nats per label, or the weighted loss of
    /// atoms.
    pub loss: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// What went through the step, and how fast.
    #[serde(flatten)]
    pub work: Work,
    /// Seconds since the run (or its resumption) began, added to those before.
    pub wall_s: f64,
    /// Seconds of this step spent waiting for data.
    pub data_wait_s: f64,
    /// Whether [`Observer::evaluation`] of the same step comes next.
    #[serde(skip)]
    pub evaluation_follows: bool,
}

/// What went through a step, over its wall time, and since step 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Work {
    /// Of a model of sequences.
    Tokens {
        /// Tokens of this step over its wall time.
        tokens_per_s: f64,
        /// Tokens seen since step 0, over all ranks.
        tokens: u64,
    },
    /// Of a model of atoms.
    Atoms {
        /// Atoms of this step over its wall time.
        atoms_per_s: f64,
        /// Directed edges of this step over its wall time.
        edges_per_s: f64,
        /// Atoms seen since step 0, over all ranks.
        atoms: u64,
    },
}

impl Work {
    /// Tokens or atoms seen since step 0.
    pub fn seen(&self) -> u64 {
        match *self {
            Self::Tokens { tokens: seen, .. } | Self::Atoms { atoms: seen, .. } => seen,
        }
    }

    /// Rates of the step under their names in the events.
    pub fn rates(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Self::Tokens { tokens_per_s, .. } => vec![("tokens_per_s", tokens_per_s)],
            Self::Atoms { atoms_per_s, edges_per_s, .. } => {
                vec![("atoms_per_s", atoms_per_s), ("edges_per_s", edges_per_s)]
            }
        }
    }
}

/// One measurement on the validation split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EvaluationRecord {
    /// Optimizer steps done.
    pub step: u64,
    /// Mean nats per label, or the weighted loss of atoms.
    pub val_loss: f64,
    /// What makes the loss readable.
    #[serde(flatten)]
    pub figures: Figures,
    /// Seconds it took.
    pub val_s: f64,
}

/// Figures of an evaluation beside its loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figures {
    /// Of a model of sequences.
    Sequences(SequenceFigures),
    /// Of a model of atoms.
    Atoms(AtomsFigures),
}

/// Figures of a model of sequences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SequenceFigures {
    /// `exp(val_loss)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// Bits per byte of raw text; only where every token is predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_byte: Option<f64>,
    /// Labels measured on.
    pub val_labels: u64,
}

/// Errors of a model of atoms over the whole validation split; absent without such labels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct AtomsFigures {
    /// Root mean square error of the energy per atom, meV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_energy_rmse_mev_per_atom: Option<f64>,
    /// Mean absolute error of the energy per atom, meV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_energy_mae_mev_per_atom: Option<f64>,
    /// Root mean square error of force components, meV/Å.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_forces_rmse_mev_per_a: Option<f64>,
    /// Mean absolute error of force components, meV/Å.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_forces_mae_mev_per_a: Option<f64>,
    /// Root mean square error of stress components, meV/Å^3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_stress_rmse_mev_per_a3: Option<f64>,
    /// Structures measured on.
    pub val_frames: u64,
}

impl Figures {
    /// The figures that TensorBoard shows, with their tags.
    pub fn scalars(&self) -> Vec<(&'static str, f64)> {
        let known = match self {
            Self::Sequences(it) => vec![
                ("validation/perplexity", it.perplexity),
                ("validation/bits_per_byte", it.bits_per_byte),
            ],
            Self::Atoms(it) => vec![
                ("validation/energy_rmse_mev_per_atom", it.val_energy_rmse_mev_per_atom),
                ("validation/energy_mae_mev_per_atom", it.val_energy_mae_mev_per_atom),
                ("validation/forces_rmse_mev_per_a", it.val_forces_rmse_mev_per_a),
                ("validation/forces_mae_mev_per_a", it.val_forces_mae_mev_per_a),
                ("validation/stress_rmse_mev_per_a3", it.val_stress_rmse_mev_per_a3),
            ],
        };
        known.into_iter().filter_map(|(tag, value)| Some((tag, value?))).collect()
    }
}

/// One checkpoint that has been committed.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointRecord {
    /// Optimizer steps done.
    pub step: u64,
    /// Its folder.
    pub path: PathBuf,
    /// Size on disk.
    pub bytes: u64,
    /// Seconds the loop waited for it.
    pub seconds: f64,
    /// Whether its validation loss is the lowest so far.
    pub is_best: bool,
}

/// One generated text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleRecord {
    /// Optimizer steps done.
    pub step: u64,
    /// What it was asked to continue.
    pub prompt: String,
    /// The continuation.
    pub text: String,
}

/// Watches a run. Methods are called in the order of a step: `step`, `evaluation` if due,
/// `checkpoint` if due. A watcher never stops the loop by panicking; it may ask for a stop by
/// [`Observer::failure`].
pub trait Observer {
    /// A step is done.
    fn step(&mut self, record: &StepRecord);
    /// An evaluation is done.
    fn evaluation(&mut self, record: &EvaluationRecord);
    /// A checkpoint is committed.
    fn checkpoint(&mut self, record: &CheckpointRecord);
    /// A text was generated.
    fn sample(&mut self, _record: &SampleRecord) {}
    /// Something worth a line: a resume, a fallback to an older checkpoint, a signal.
    fn note(&mut self, text: &str);
    /// Why the watcher can no longer do its work (a full disk), if so.
    fn failure(&self) -> Option<String> {
        None
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn step(&mut self, _record: &StepRecord) {}
    fn evaluation(&mut self, _record: &EvaluationRecord) {}
    fn checkpoint(&mut self, _record: &CheckpointRecord) {}
    fn note(&mut self, _text: &str) {}
}

/// Several watchers as one, told in order; the first failure counts.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn step(&mut self, record: &StepRecord) {
        self.0.step(record);
        self.1.step(record);
    }
    fn evaluation(&mut self, record: &EvaluationRecord) {
        self.0.evaluation(record);
        self.1.evaluation(record);
    }
    fn checkpoint(&mut self, record: &CheckpointRecord) {
        self.0.checkpoint(record);
        self.1.checkpoint(record);
    }
    fn sample(&mut self, record: &SampleRecord) {
        self.0.sample(record);
        self.1.sample(record);
    }
    fn note(&mut self, text: &str) {
        self.0.note(text);
        self.1.note(text);
    }
    fn failure(&self) -> Option<String> {
        self.0.failure().or_else(|| self.1.failure())
    }
}

impl<T: Observer + ?Sized> Observer for &mut T {
    fn step(&mut self, record: &StepRecord) {
        (**self).step(record);
    }
    fn evaluation(&mut self, record: &EvaluationRecord) {
        (**self).evaluation(record);
    }
    fn checkpoint(&mut self, record: &CheckpointRecord) {
        (**self).checkpoint(record);
    }
    fn sample(&mut self, record: &SampleRecord) {
        (**self).sample(record);
    }
    fn note(&mut self, text: &str) {
        (**self).note(text);
    }
    fn failure(&self) -> Option<String> {
        (**self).failure()
    }
}
