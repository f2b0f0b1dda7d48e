//! What the loop needs to know of a run, whatever the run learns.
//!
//! A family's plan boils down to a [`Course`]; prepare, resume, the loop and checkpoints work from
//! it alone. Not here: what a step computes ([`super::task`]).

use std::path::PathBuf;

use serde_json::Value;

use super::blend::Blend;
use super::error::TrainError;
use super::reduction::Summing;
use super::schedule::Schedule;
use crate::checkpoint::naming;
use crate::keys::{
    AverageConfig, CheckpointConfig, DecayConfig, FaultsConfig, OptimizerConfig, ScheduleConfig,
};

/// Folder of a run that holds its checkpoints.
pub const CHECKPOINTS_FOLDER: &str = "checkpoints";

/// What the loop needs to know of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Family of the model.
    pub family: &'static str,
    /// Folder of the run.
    pub run_dir: PathBuf,
    /// Root of its random numbers.
    pub seed: u64,
    /// Learning rate over steps, and how many steps there are.
    pub schedule: ScheduleConfig,
    /// A second stage, if there is one.
    pub stage_two: Option<StageTwo>,
    /// How gradients become updates.
    pub optimizer: OptimizerConfig,
    /// Running average of the parameters.
    pub average: Option<AverageConfig>,
    /// How gradients are summed over ranks.
    pub(crate) summing: Summing,
    /// Steps between evaluations.
    pub evaluation_every: Option<u64>,
    /// Whether every sample that is delivered is recorded.
    pub audit: bool,
    /// When checkpoints are written and which are kept.
    pub checkpoint: CheckpointConfig,
    /// What becomes of a step that is not finite.
    pub faults: FaultsConfig,
    /// The resolved model, as the manifest holds it.
    pub model: Value,
    /// The configuration, as the manifest holds it.
    pub config: Value,
    /// What it learns from.
    pub blend: Blend,
    /// Kind of the tokenizer; `atoms` where there is none.
    pub tokenizer_kind: String,
    /// Pointers into `model` of what a run file cannot say: it is that of the checkpoint that a run starts
    /// from.
    pub inherited: Vec<&'static str>,
    /// Keys, and tables with all their keys, that may change on resuming.
    pub may_change: Vec<String>,
}

/// The part of a run with another loss and another, constant rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageTwo {
    /// Its first step, counted from 0.
    pub start_step: u64,
    /// Its learning rate.
    pub rate: f64,
}

impl Course {
    /// Folder of the run's checkpoints.
    pub fn checkpoints_dir(&self) -> PathBuf {
        self.run_dir.join(CHECKPOINTS_FOLDER)
    }

    /// Steps whose checkpoint is there, ascending; none where the folder cannot be listed.
    pub(super) fn steps_with_checkpoint(&self) -> Vec<u64> {
        naming::committed_steps(&self.checkpoints_dir())
    }

    /// Takes over what a run file cannot say from the model of a checkpoint.
    pub fn inherit(&mut self, model: &Value) {
        inherit(&mut self.model, model, &self.inherited);
    }

    /// Steps of the run.
    pub fn steps(&self) -> u64 {
        self.schedule.steps
    }

    /// Stage of the update numbered `step` from 0: 0, or 1 in the second stage.
    pub fn stage(&self, step: u64) -> u32 {
        u32::from(self.stage_two.is_some_and(|stage| step >= stage.start_step))
    }

    /// Whether the rate is scaled by the validation loss.
    pub fn has_plateau(&self) -> bool {
        matches!(self.schedule.decay, DecayConfig::Plateau { .. })
    }

    /// Whether the evaluation after `step` updates scales the rate: those at the interval of
    /// `[evaluation]` do, so that checkpoints and stops change nothing.
    pub fn plateau_listens(&self, step: u64) -> bool {
        let due = self.evaluation_every.is_some_and(|every| step.is_multiple_of(every));
        self.has_plateau() && due && self.stage(step.saturating_sub(1)) == 0
    }

    /// Rate of the update numbered `step` from 0, before a plateau scales it.
    pub fn rate(&self, step: u64) -> f64 {
        match self.stage_two {
            Some(stage) if step >= stage.start_step => stage.rate,
            _ => Schedule::new(&self.schedule).rate(step),
        }
    }
}

/// Sets the values of `model` under `pointers` to those of `from`; absent ones are null.
pub(crate) fn inherit(model: &mut Value, from: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
        let value = from.pointer(pointer).cloned().unwrap_or(Value::Null);
        if let Some(Value::Object(fields)) = model.pointer_mut(parent) {
            fields.insert(key.to_owned(), value);
        }
    }
}

/// A part of a plan as it is stored in the manifest.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<Value, TrainError> {
    serde_json::to_value(value).map_err(|e| TrainError::Unstorable { reason: e.to_string() })
}
