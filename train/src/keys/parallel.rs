//! `[parallel]`: how ranks train together, and for how long they wait for each other.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::{Limits, Phase};

/// `[parallel]`: a run on one rank obeys it too, so that the number of ranks may
/// change on resuming.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "the same samples, sums in another order"))]
pub struct ParallelConfig {
    /// Whether 1, 2, 4, ... ranks give the same bits, each with as many threads: a step is computed in
    /// `parts`, whose gradients are gathered and summed in a fixed order. Costs speed and memory.
    #[serde(default)]
    pub deterministic: bool,
    /// Parts of a step, with `deterministic`: a power of two that divides the samples of a step, and the
    /// largest number of ranks. Absent means 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<usize>,
    /// What ranks divide among them instead of each holding it all (ZeRO): 0 nothing, 1 the optimizer's moments and
    /// the averages, 2 gradients too, which are then exchanged after each slice of a step. Files of a checkpoint are
    /// divided alike, and any number of ranks goes on from them.
    #[serde(default)]
    pub zero: u8,
    /// MiB of gradients that ranks exchange at once.
    #[serde(default = "defaults::bucket_mib")]
    pub bucket_mib: f64,
    /// What carries numbers between ranks.
    #[serde(default)]
    pub engine: EngineChoice,
    /// Seconds in which ranks find each other and join over NCCL; MPI has a time of its own.
    #[serde(default = "defaults::join_limit_s")]
    pub join_limit_s: u64,
    /// How long ranks wait for one that is alive and does not come.
    #[serde(default)]
    pub limits: LimitsConfig,
}

/// `[parallel.limits]`: minutes that ranks wait for one that gives signs of life but does not come, by what it is at.
/// Then the run ends with exit code 3, and that rank and its host are named.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Before the first step: opening checkpoints, planning, the parity gate.
    pub start_minutes: f64,
    /// Making the dataset, which the first rank does.
    pub dataset_minutes: f64,
    /// Opening data and reading the samples of a step.
    pub data_minutes: f64,
    /// Computing a step, kernels that are compiled within it, or its part of an evaluation.
    pub step_minutes: f64,
    /// Writing a checkpoint, and what follows the last step.
    pub save_minutes: f64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            start_minutes: 60.0,
            dataset_minutes: 1440.0,
            data_minutes: 30.0,
            step_minutes: 30.0,
            save_minutes: 60.0,
        }
    }
}

impl LimitsConfig {
    /// Names of the keys, with their values.
    pub(crate) fn all(&self) -> [(Phase, f64); 5] {
        [
            (Phase::Start, self.start_minutes),
            (Phase::Dataset, self.dataset_minutes),
            (Phase::Data, self.data_minutes),
            (Phase::Step, self.step_minutes),
            (Phase::Save, self.save_minutes),
        ]
    }
}

impl From<LimitsConfig> for Limits {
    fn from(config: LimitsConfig) -> Self {
        let time = |minutes: f64| Duration::from_secs_f64(60.0 * minutes);
        Self {
            start: time(config.start_minutes),
            dataset: time(config.dataset_minutes),
            data: time(config.data_minutes),
            step: time(config.step_minutes),
            save: time(config.save_minutes),
        }
    }
}

/// `parallel.engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineChoice {
    /// NCCL where the run is computed on NVIDIA GPUs, MPI elsewhere.
    #[default]
    Auto,
    /// MPI, through memory of the host.
    Mpi,
    /// NCCL; each rank needs an NVIDIA GPU.
    Nccl,
}

impl ParallelConfig {
    /// Parts of a step in the deterministic mode.
    pub fn parts(&self) -> usize {
        self.parts.unwrap_or(defaults::PARTS)
    }

    /// Bytes that ranks exchange at once.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
    pub fn bucket_bytes(&self) -> usize {
        // Checked to be above 0 and at most a GiB.
        (self.bucket_mib * 1024.0 * 1024.0) as usize
    }
}

impl Default for ParallelConfig {
    fn default() -> Self {
        Self {
            deterministic: false,
            parts: None,
            zero: 0,
            bucket_mib: defaults::bucket_mib(),
            engine: EngineChoice::Auto,
            join_limit_s: defaults::join_limit_s(),
            limits: LimitsConfig::default(),
        }
    }
}

/// Values of keys that may be left out.
mod defaults {
    /// What one node of eight GPUs, or eight ranks, can share.
    pub(super) const PARTS: usize = 8;

    pub(super) fn bucket_mib() -> f64 {
        25.0
    }
    /// Slow starts of a few thousand processes from shared storage take a minute.
    pub(super) fn join_limit_s() -> u64 {
        120
    }
}
