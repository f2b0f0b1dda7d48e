//! Tables of a run file that every family has: one documented struct each, unknown keys rejected.
//!
//! These types say what may be written; their ranges are in `check`. Not here: tables of one family,
//! which stand in its settings.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::checkpoint::Retention;
use crate::device::DeviceChoice;

/// `[run]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunTable {
    /// Folder that holds everything of the run. As in every path, `~/`, `$NAME`, `${NAME}` and
    /// `${NAME:-default}` are expanded.
    #[schemars(extend("x-may-change-on-resume" = "where the run lies"))]
    pub dir: PathBuf,
    /// Root of every random number of the run.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// CPU threads; absent means all cores. Results are the same bits for the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-may-change-on-resume" = "the same samples, not the same bits"))]
    pub threads: Option<usize>,
    /// Where it is computed: `cpu`, `cuda:0`, `wgpu`, or another number after the colon.
    #[serde(default)]
    #[schemars(extend("x-may-change-on-resume" = "the same samples, not the same bits"))]
    pub device: DeviceChoice,
    /// Checkpoint that the run begins from, as `--from` gives it; a run that is resumed before its
    /// first checkpoint begins there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-may-change-on-resume" = "where the run began"))]
    pub from: Option<PathBuf>,
    /// Whether `from` gives its weights alone: the optimizer is new, the first step is 1.
    #[serde(default, skip_serializing_if = "is_off")]
    #[schemars(extend("x-may-change-on-resume" = "where the run began"))]
    pub weights_only: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_off(switch: &bool) -> bool {
    !switch
}

/// `[optimizer]`: how gradients become updates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Adam with decoupled decay of matrices (Loshchilov and Hutter, arXiv:1711.05101).
    Adamw {
        /// Memory of the mean gradient, in [0, 1).
        #[serde(default = "defaults::beta1")]
        beta1: f64,
        /// Memory of the squared gradient, in [0, 1).
        #[serde(default = "defaults::beta2")]
        beta2: f64,
        /// Added to the root of the squared gradient; positive.
        #[serde(default = "defaults::epsilon")]
        epsilon: f64,
        /// Decay per unit of rate, of parameters with two or more axes.
        #[serde(default = "defaults::weight_decay")]
        weight_decay: f64,
        /// Largest global gradient norm; absent means no clipping.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip_norm: Option<f64>,
    },
    /// Adam with the largest second moment so far (arXiv:1904.09237) and decay added to the
    /// gradient, as `torch.optim.Adam(amsgrad=True)`.
    Amsgrad {
        /// Memory of the mean gradient, in [0, 1).
        #[serde(default = "defaults::beta1")]
        beta1: f64,
        /// Memory of the squared gradient, in [0, 1).
        #[serde(default = "defaults::amsgrad_beta2")]
        beta2: f64,
        /// Added to the root of the squared gradient; positive.
        #[serde(default = "defaults::epsilon")]
        epsilon: f64,
        /// Decay of the parameters that mace-torch decays; of transformers, of matrices.
        #[serde(default = "defaults::amsgrad_weight_decay")]
        weight_decay: f64,
        /// Largest global gradient norm; absent means no clipping.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip_norm: Option<f64>,
    },
}

impl OptimizerConfig {
    /// Largest global gradient norm, if gradients are clipped.
    pub fn clip_norm(&self) -> Option<f64> {
        let (Self::Adamw { clip_norm, .. } | Self::Amsgrad { clip_norm, .. }) = *self;
        clip_norm
    }

    /// AMSGrad with its defaults, which are those of mace-torch.
    pub fn amsgrad() -> Self {
        Self::Amsgrad {
            beta1: defaults::beta1(),
            beta2: defaults::amsgrad_beta2(),
            epsilon: defaults::epsilon(),
            weight_decay: defaults::amsgrad_weight_decay(),
            clip_norm: Some(10.0),
        }
    }
}

/// `[average]`: an exponential average of the parameters, which is what the run evaluates and
/// exports; the parameters that are trained are kept in the checkpoint too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AverageConfig {
    /// Largest memory of the average, in [0, 1): 0.99 averages over about 100 steps.
    pub decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adamw {
            beta1: defaults::beta1(),
            beta2: defaults::beta2(),
            epsilon: defaults::epsilon(),
            weight_decay: defaults::weight_decay(),
            clip_norm: Some(1.0),
        }
    }
}

/// `[schedule]`: linear warm-up, plateau, decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend(
    "x-may-change-on-resume" = "as long as every rate already used stays the same: a plateau can \
                                be prolonged, a cosine cannot be stretched"
))]
pub struct ScheduleConfig {
    /// Optimizer steps of the run.
    pub steps: u64,
    /// Highest rate, reached when warm-up ends. Positive.
    pub peak_rate: f64,
    /// Steps of linear warm-up; 0 means none.
    #[serde(default)]
    pub warmup_steps: u64,
    /// How the rate falls at the end.
    pub decay: DecayConfig,
}

/// `[schedule.decay]`. `steps` counts the last steps of the run; absent, the decay begins where
/// warm-up ends. `floor_ratio` is the final rate over the peak rate, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DecayConfig {
    /// The peak rate is kept to the end.
    None {},
    /// Half a cosine wave.
    Cosine {
        /// Last steps over which the rate falls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<u64>,
        /// Final rate over peak rate.
        #[serde(default)]
        floor_ratio: f64,
    },
    /// A straight line.
    Linear {
        /// Last steps over which the rate falls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<u64>,
        /// Final rate over peak rate.
        #[serde(default)]
        floor_ratio: f64,
    },
    /// A factor at every `every` steps after warm-up.
    Stairs {
        /// Steps between two falls, at least 1.
        every: u64,
        /// Rate after over rate before a fall, in (0, 1].
        factor: f64,
    },
    /// A factor whenever `patience` evaluations did not lower the validation loss.
    Plateau {
        /// Rate after over rate before a fall, in (0, 1].
        factor: f64,
        /// Evaluations without improvement that are waited for.
        patience: u64,
    },
    /// `1 - sqrt(progress)`, the tail of Hägele et al., arXiv:2405.18392.
    OneMinusSqrt {
        /// Last steps over which the rate falls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steps: Option<u64>,
        /// Final rate over peak rate.
        #[serde(default)]
        floor_ratio: f64,
    },
}

/// `[checkpoint]`. The last step is always saved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "what is kept"))]
pub struct CheckpointConfig {
    /// Steps between checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Minutes between checkpoints, counted from the last one; absent without `every` means 30. These
    /// are not evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_minutes: Option<f64>,
    /// Newest checkpoints to keep, at least 1.
    #[serde(default = "defaults::keep_last")]
    pub keep_last: usize,
    /// Checkpoints of the lowest validation losses that are kept besides; `true` is 1, `false` is 0.
    #[serde(default = "defaults::keep_best", deserialize_with = "number_or_switch")]
    pub keep_best: usize,
    /// Steps between checkpoints that are kept for good, besides; a multiple of `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_every: Option<u64>,
    /// Whether steps go on while a checkpoint is written.
    #[serde(default = "defaults::yes")]
    pub background: bool,
    /// MiB that a rank may use for that; steps wait where a snapshot takes more. Absent means half of the memory that
    /// is free at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_mib: Option<u64>,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            every: None,
            every_minutes: None,
            keep_last: defaults::keep_last(),
            keep_best: defaults::keep_best(),
            keep_every: None,
            background: true,
            snapshot_mib: None,
        }
    }
}

/// A number, which was once whether it is one or none.
fn number_or_switch<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    struct NumberOrSwitch;
    impl serde::de::Visitor<'_> for NumberOrSwitch {
        type Value = usize;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, 0 or more, or true or false")
        }
        fn visit_bool<E>(self, switch: bool) -> Result<usize, E> {
            Ok(usize::from(switch))
        }
        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<usize, E> {
            usize::try_from(number).map_err(E::custom)
        }
        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<usize, E> {
            usize::try_from(number).map_err(|_| E::custom(format!("{number}, must be 0 or more")))
        }
    }
    from.deserialize_any(NumberOrSwitch)
}

impl CheckpointConfig {
    /// Minutes between two checkpoints, if the clock asks for any.
    pub fn minutes(&self) -> Option<f64> {
        let usual = self.every.is_none().then_some(defaults::EVERY_MINUTES);
        self.every_minutes.or(usual)
    }

    /// Most checkpoints of a run of so many `steps` that are kept at a time.
    pub fn kept(&self, steps: u64) -> usize {
        let for_good = self.keep_every.map_or(0, |every| steps / every.max(1));
        let for_good = usize::try_from(for_good).unwrap_or(usize::MAX);
        self.keep_last.max(1).saturating_add(self.keep_best).saturating_add(for_good)
    }

    /// When checkpoints are written, in words.
    pub fn when(&self) -> String {
        let steps = self.every.map(|every| format!("every {every} steps"));
        let minutes = self.minutes().map(|minutes| format!("every {minutes} minutes"));
        let last = "after the last step".to_owned();
        let all: Vec<String> = steps.into_iter().chain(minutes).chain([last]).collect();
        all.join(", ")
    }
}

impl From<&CheckpointConfig> for Retention {
    fn from(config: &CheckpointConfig) -> Self {
        let CheckpointConfig { keep_last, keep_best, keep_every, .. } = *config;
        Self { keep_last, keep_best, keep_every }
    }
}

/// Values of keys that may be left out.
mod defaults {
    /// What is lost at worst where a file says nothing of checkpoints.
    pub(super) const EVERY_MINUTES: f64 = 30.0;

    pub(super) fn seed() -> u64 {
        1
    }
    pub(super) fn beta1() -> f64 {
        0.9
    }
    pub(super) fn beta2() -> f64 {
        0.95
    }
    pub(super) fn amsgrad_beta2() -> f64 {
        0.999
    }
    pub(super) fn amsgrad_weight_decay() -> f64 {
        5e-7
    }
    pub(super) fn epsilon() -> f64 {
        1e-8
    }
    pub(super) fn weight_decay() -> f64 {
        0.1
    }
    pub(super) fn keep_last() -> usize {
        2
    }
    pub(super) fn keep_best() -> usize {
        1
    }
    pub(super) fn yes() -> bool {
        true
    }
}
