//! The run file: one documented struct per table, unknown keys rejected at every depth.
//!
//! These types say what may be written. Checks that need more than one value are in `check`,
//! reading files and overrides in `load`, and joining with a dataset in `resolve`.

use std::path::PathBuf;

use genesis_model::ModelConfig;
use serde::{Deserialize, Serialize};

use super::data::DataConfig;
use super::precision::PrecisionConfig;
use crate::device::DeviceChoice;

/// A whole run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Where the run lives and what makes it repeatable.
    pub run: RunTable,
    /// What it learns from.
    pub data: DataConfig,
    /// The network.
    pub model: ModelConfig,
    /// What is predicted from what.
    pub objective: ObjectiveConfig,
    /// How much data enters one optimizer step.
    pub batch: BatchConfig,
    /// How gradients become updates.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Learning rate over steps, and how many steps there are.
    pub schedule: ScheduleConfig,
    /// Running average of the parameters; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<AverageConfig>,
    /// Arithmetic.
    #[serde(default)]
    pub precision: PrecisionConfig,
    /// When and on how much the validation loss is measured.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// When checkpoints are written and which are kept.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// What `report.html` and TensorBoard show besides the curves.
    #[serde(default)]
    pub report: ReportConfig,
}

/// `[run]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTable {
    /// Folder that holds everything of the run. `${NAME}` is expanded from the environment.
    pub dir: PathBuf,
    /// Root of every random number of the run.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// CPU threads; absent means all cores. Results are the same bits for the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Where it is computed: `cpu`, `cuda:0`, `wgpu`, or another number after the colon.
    #[serde(default)]
    pub device: DeviceChoice,
}

/// `[objective]`: what is predicted from what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectiveConfig {
    /// Every token from those before it, in blocks of exactly `context` tokens.
    Causal {
        /// Tokens of one sequence, at least 2.
        context: usize,
    },
    /// Hidden tokens from all others of the document; 80 % masked, 10 % replaced, 10 % kept.
    Masked {
        /// Most tokens of one document in a batch; longer ones are cropped.
        context: usize,
        /// Fraction of tokens to predict, in (0, 1).
        #[serde(default = "defaults::mask_rate")]
        mask_rate: f64,
    },
}

impl ObjectiveConfig {
    /// Tokens of one sequence at most.
    pub fn context(&self) -> usize {
        match *self {
            Self::Causal { context } | Self::Masked { context, .. } => context,
        }
    }
}

/// `[batch]`: data of one optimizer step, over all ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Sequences per optimizer step, over all ranks and accumulation slices.
    pub sequences: usize,
    /// Slices whose gradients are summed before an update; divides `sequences`. Saves memory,
    /// changes nothing else.
    #[serde(default = "defaults::accumulation")]
    pub accumulation: usize,
}

/// `[optimizer]`: how gradients become updates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

    /// The default of networks of atoms: that of mace-torch.
    pub fn of_atoms() -> Self {
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// `[schedule]`: linear warm-up, plateau, decay. See [`crate::schedule::Schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// A factor whenever `patience` evaluations did not lower the validation loss
    /// ([`crate::plateau`]).
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

/// `[evaluation]`. The last step is always evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Steps between evaluations; absent means only after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Sequences of the validation split to use, always the same ones; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sequences: Option<usize>,
    /// Sequences per forward pass; absent means those of one accumulation slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequences_per_batch: Option<usize>,
}

/// `[checkpoint]`. The last step is always saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Steps between checkpoints; absent means only after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Newest checkpoints to keep, at least 1.
    #[serde(default = "defaults::keep_last")]
    pub keep_last: usize,
    /// Whether the checkpoint of the lowest validation loss is kept besides.
    #[serde(default = "defaults::yes")]
    pub keep_best: bool,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every: None, keep_last: defaults::keep_last(), keep_best: true }
    }
}

/// `[report]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportConfig {
    /// Whether TensorBoard event files are written.
    #[serde(default = "defaults::yes")]
    pub tensorboard: bool,
    /// Text generated after the last step (causal models); absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleConfig>,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { tensorboard: true, sample: None }
    }
}

/// `[report.sample]`: what is generated for the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleConfig {
    /// Texts to continue; an empty one starts from the tokenizer's begin token.
    #[serde(default = "defaults::prompts")]
    pub prompts: Vec<String>,
    /// Samples per prompt.
    #[serde(default = "defaults::accumulation")]
    pub count: usize,
    /// New tokens at most.
    #[serde(default = "defaults::sample_tokens")]
    pub max_tokens: usize,
    /// 0 takes the likeliest token; 1 samples the model's own distribution.
    #[serde(default = "defaults::temperature")]
    pub temperature: f64,
    /// Sample among the `top_k` likeliest tokens only; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Sample among the likeliest tokens that together reach this probability; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
}

/// Values of keys that may be left out; each is named in `configs/README.md`.
mod defaults {
    pub(super) fn seed() -> u64 {
        1
    }
    pub(super) fn mask_rate() -> f64 {
        0.15
    }
    pub(super) fn accumulation() -> usize {
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
    pub(super) fn yes() -> bool {
        true
    }
    pub(super) fn prompts() -> Vec<String> {
        vec![String::new()]
    }
    pub(super) fn sample_tokens() -> usize {
        128
    }
    pub(super) fn temperature() -> f64 {
        1.0
    }
}
