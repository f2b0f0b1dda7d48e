//! What the training loop tells whoever watches it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::figure::Figures;

/// One optimizer step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRecord {
    /// Optimizer steps done; the first record says 1.
    pub step: u64,
    /// Training loss of this step before the update.
    pub loss: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// What went through the step, and how fast.
    #[serde(flatten)]
    pub figures: Figures,
    /// Seconds since the run (or its resumption) began, added to those before.
    pub wall_s: f64,
    /// Seconds of this step spent waiting for data.
    pub data_wait_s: f64,
    /// Whether [`Observer::evaluation`] of the same step comes next.
    #[serde(skip)]
    pub evaluation_follows: bool,
}

/// One measurement on the validation split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationRecord {
    /// Optimizer steps done.
    pub step: u64,
    /// The same loss on held-out data.
    pub val_loss: f64,
    /// That of each dataset by name, where several are measured.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub val_losses: BTreeMap<String, f64>,
    /// What makes the loss readable.
    #[serde(flatten)]
    pub figures: Figures,
    /// Seconds it took.
    pub val_s: f64,
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
    /// Seconds that steps waited for it.
    pub seconds: f64,
    /// Seconds until it was written, from the moment that it holds.
    pub written_s: f64,
    /// Whether its validation loss is the lowest so far.
    pub is_best: bool,
}

/// A step that could not be trusted. Numbers are text: JSON has no others than finite ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// The step, counted from 1.
    pub step: u64,
    /// Why it was not: `not finite`, or how it jumped.
    pub cause: String,
    /// Loss and norm of the gradients.
    pub loss: String,
    /// See `loss`.
    pub grad_norm: String,
    /// The same of the second time that the step was computed.
    pub again_loss: String,
    /// See `again_loss`.
    pub again_grad_norm: String,
    /// Parameters whose gradients were not finite.
    pub gradients: Vec<String>,
    /// Ranks whose own loss was not, unless all were alike.
    pub ranks: Vec<String>,
    /// Samples of the step, of those ranks if there are some.
    pub samples: Vec<u64>,
    /// What the run did.
    pub decision: String,
    /// What `genesis replay` takes to compute the step again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capsule: Option<PathBuf>,
}

impl FaultRecord {
    /// In a line.
    pub fn sentence(&self) -> String {
        let Self { step, cause, loss, grad_norm, again_loss, again_grad_norm, decision, .. } = self;
        let of = if self.ranks.is_empty() {
            String::new()
        } else {
            format!(" on {} alone", self.ranks.join(", "))
        };
        let why = if cause == "not finite" {
            format!("loss {loss} and gradient norm {grad_norm} are not both finite{of}")
        } else {
            cause.clone()
        };
        let kept = self.capsule.as_ref().map(|it| format!(" (genesis replay {})", it.display()));
        let kept = kept.unwrap_or_default();
        format!(
            "step {step}: {why}; computed once more, loss and gradient norm are {again_loss} and \
             {again_grad_norm}: the run {decision}{kept}"
        )
    }
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
    /// A step was not finite.
    fn fault(&mut self, _record: &FaultRecord) {}
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
    fn fault(&mut self, record: &FaultRecord) {
        self.0.fault(record);
        self.1.fault(record);
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
    fn fault(&mut self, record: &FaultRecord) {
        (**self).fault(record);
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
