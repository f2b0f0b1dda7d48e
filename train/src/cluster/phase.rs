//! What a rank is at, and how long the others wait for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The part of a run that a rank is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From the first word with the others to the first step, but for its data.
    #[default]
    Start,
    /// Making a dataset, which the first rank does alone.
    Dataset,
    /// Opening data, and reading the samples of a step.
    Data,
    /// Computing and summing gradients, updates, evaluations.
    Step,
    /// Writing a checkpoint.
    Save,
}

impl Phase {
    /// The key of its limit in the run file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Start => "parallel.limits.start_minutes",
            Self::Dataset => "parallel.limits.dataset_minutes",
            Self::Data => "parallel.limits.data_minutes",
            Self::Step => "parallel.limits.step_minutes",
            Self::Save => "parallel.limits.save_minutes",
        }
    }
}

/// For how long ranks wait for one that lives and does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// While it is in [`Phase::Start`].
    pub start: Duration,
    /// While it is in [`Phase::Dataset`].
    pub dataset: Duration,
    /// While it is in [`Phase::Data`].
    pub data: Duration,
    /// While it is in [`Phase::Step`].
    pub step: Duration,
    /// While it is in [`Phase::Save`].
    pub save: Duration,
}

impl Limits {
    /// The limit of a phase.
    pub fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Start => self.start,
            Phase::Dataset => self.dataset,
            Phase::Data => self.data,
            Phase::Step => self.step,
            Phase::Save => self.save,
        }
    }
}
