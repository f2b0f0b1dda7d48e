//! Why a run could not start or had to stop.

use std::path::PathBuf;

use genesis_data::error::DataError;
use genesis_model::ParamsError;

use super::gate::Mismatch;
use super::watch::{Jump, Samples};
use crate::checkpoint::CheckpointError;
use crate::cluster::ClusterError;

/// Why a run could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Reading data failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Ids of the data mean other tokens than those of the checkpoint.
    #[error("{problem}")]
    OtherTokenizer {
        /// Both tokenizers and the way out.
        problem: String,
    },
    /// Ranks cannot go on together.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Writing or reading a checkpoint failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Saved parameters do not fit the model.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The folder is in use.
    #[error(
        "{dir} already holds a run ({found}); continue it with --resume, or choose another run.dir"
    )]
    RunExists {
        /// The run folder.
        dir: PathBuf,
        /// What was found there.
        found: String,
    },
    /// There are checkpoints, and none can be trusted.
    #[error(
        "{dir}: none of its {count} checkpoints is valid, so there is nothing safe to resume from; \
         the newest: {newest}. Restore a copy, or start anew in another run.dir"
    )]
    NoValidCheckpoint {
        /// The folder of checkpoints.
        dir: PathBuf,
        /// How many were looked at.
        count: usize,
        /// What is wrong with the newest.
        newest: Box<CheckpointError>,
    },
    /// The run is not the one that was checkpointed.
    #[error("cannot go on from {checkpoint}: {}; {way_out}", changes.join("; "))]
    Changed {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Each changed key with both values.
        changes: Vec<String>,
        /// What can be done.
        way_out: String,
    },
    /// A value of the plan cannot be written as JSON, for example a path that is not UTF-8.
    #[error("the run configuration cannot be stored in a checkpoint: {reason}")]
    Unstorable {
        /// What the serialiser said.
        reason: String,
    },
    /// The device does not compute what the CPU does.
    #[error(transparent)]
    Gate(#[from] Box<Mismatch>),
    /// The loss or a gradient is not a number any more, or jumps where that is to stop the run.
    #[error("{0}")]
    Diverged(Box<Diverged>),
    /// Nothing to learn from in a whole step.
    #[error(
        "step {step}: none of its tokens has a label (documents {documents:?}); raise \
         objective.mask_rate or batch.sequences"
    )]
    NoLabels {
        /// The step, counted from 1.
        step: u64,
        /// Documents in it.
        documents: Vec<u64>,
    },
    /// A batch does not fit the network or the loss.
    #[error("step {step}: {reason}")]
    Batch {
        /// The step, counted from 1.
        step: u64,
        /// What does not fit, and the fix.
        reason: String,
    },
    /// The loader ended early.
    #[error("the loader delivered no batch for step {step}; this is a bug, please report it")]
    LoaderEnded {
        /// The step, counted from 1.
        step: u64,
    },
    /// Events could not be written.
    #[error("step {step}: the run's records cannot be written: {reason}")]
    Report {
        /// The step, counted from 1.
        step: u64,
        /// What the writer said.
        reason: String,
    },
}

/// A step that cannot be trusted, with what is needed to find the cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Diverged {
    /// The step, counted from 1. Its update was not applied, or was and is not saved.
    pub step: u64,
    /// Training loss of the step.
    pub loss: f64,
    /// Global norm of the gradients.
    pub grad_norm: f64,
    /// Learning rate the step would have used.
    pub rate: f64,
    /// How it jumps, where loss and gradients are finite and it stops the run all the same.
    pub jump: Option<Jump>,
    /// Parameters whose gradient is not finite.
    pub gradients: Vec<String>,
    /// Parameters that are not finite themselves: the damage is older than this step.
    pub parameters: Vec<String>,
    /// Samples of the step.
    pub samples: Samples,
    /// Steps of the run that have a checkpoint to go back to, ascending.
    pub checkpoints: Vec<u64>,
}

impl std::fmt::Display for Diverged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, loss, grad_norm, rate, .. } = self;
        if let Some(jump) = self.jump {
            let asked = "which `faults.spike` does not let pass; the update was not applied";
            write!(f, "step {step}: {jump}, {asked} (rate {rate:.3e}). ")?;
            return self.rest(f);
        }
        write!(f, "step {step}: loss {loss} and gradient norm {grad_norm} ")?;
        if loss.is_finite() && grad_norm.is_finite() {
            write!(
                f,
                "are finite, but the update at rate {rate:.3e} was not, so it is not saved. "
            )?;
        } else {
            let applied = "are not both finite, so the update was not applied";
            write!(f, "{applied} (rate {rate:.3e}). ")?;
        }
        match (self.parameters.as_slice(), self.gradients.as_slice()) {
            ([], []) => write!(f, "All parameters and single gradients are finite. ")?,
            ([], gradients) => write!(f, "Gradients not finite: {}. ", shorten(gradients))?,
            (parameters, _) => write!(f, "Parameters not finite: {}. ", shorten(parameters))?,
        }
        self.rest(f)
    }
}

impl Diverged {
    /// Samples, and what can be done.
    fn rest(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Samples { are, ids, of_ranks } = &self.samples;
        match (ids.as_slice(), of_ranks.as_slice()) {
            ([], _) => {}
            (ids, []) => write!(f, "Training {are} of the step: {}. ", shorten(ids))?,
            (ids, ranks) => {
                let (ranks, ids) = (shorten(ranks), shorten(ids));
                write!(f, "The loss is not finite on {ranks} alone, from training {are} {ids}. ")?;
            }
        }
        f.write_str(&self.way_out())
    }

    /// What can be done, with the steps that can be gone back to.
    fn way_out(&self) -> String {
        let changes = "a lower schedule.peak_rate, longer schedule.warmup_steps or smaller \
                       optimizer.clip_norm";
        match self.checkpoints.as_slice() {
            [] => format!(
                "There is no checkpoint to go back to: start anew in another run.dir with {changes}"
            ),
            steps => {
                let newest: Vec<&u64> = steps.iter().rev().collect();
                format!(
                    "Go back to a step from before the loss rose (there are checkpoints of {}) \
                     with {changes}: the same command with `--from STEP --set KEY=VALUE`. Only the \
                     weights of one, in another run.dir: `--from CHECKPOINT --weights-only`",
                    shorten(&newest)
                )
            }
        }
    }
}

/// The first few items, and how many more there are.
fn shorten<T: std::fmt::Display>(items: &[T]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = items.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
