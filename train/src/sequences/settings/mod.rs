//! Run files of models of sequences.
//!
//! Tables about the run itself are those of every run; data, model, objective, batch and precision
//! are the family's own. Reading order: here (the file), [`data`] and [`precision`], `check`
//! (ranges).

pub mod data;
pub mod precision;

mod check;
#[cfg(test)]
mod tests;

use genesis_model::ModelConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::keys::{
    AverageConfig, CheckpointConfig, ConfigProblem, FaultsConfig, OptimizerConfig, ParallelConfig,
    Root, RunTable, ScheduleConfig,
};
pub use data::{SequencesData, SequencesWeighting};
pub use precision::{Compute, PrecisionConfig};

/// A whole run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequencesConfig {
    /// Where the run lives and what makes it repeatable.
    pub run: RunTable,
    /// What it learns from.
    pub data: SequencesData,
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
    /// What becomes of a step whose loss or gradients are not finite.
    #[serde(default)]
    pub faults: FaultsConfig,
    /// How ranks train together.
    #[serde(default)]
    pub parallel: ParallelConfig,
    /// What `report.html` and TensorBoard show besides the curves.
    #[serde(default)]
    pub report: ReportConfig,
}

/// `[objective]`: what is predicted from what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectiveConfig {
    /// Every token from those before it, in blocks of exactly `context` tokens, or as `batch.packing` says.
    Causal {
        /// Tokens of one sequence, at least 2.
        context: usize,
    },
    /// Hidden tokens from all others of the document; 80 % masked, 10 % replaced, 10 % kept.
    Masked {
        /// Most tokens of one document in a batch; longer ones are cropped, or cut where `batch.packing` is given.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Sequences per optimizer step, over all ranks and accumulation slices.
    pub sequences: usize,
    /// Slices whose gradients are summed before an update; divides `sequences`. Saves memory,
    /// changes nothing else.
    #[serde(default = "defaults::one")]
    #[schemars(extend("x-may-change-on-resume" = "the same samples, sums in another order"))]
    pub accumulation: usize,
    /// How documents become sequences; absent means blocks cut from the stream of all documents (causal), or a
    /// document a sequence (masked).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packing: Option<PackingConfig>,
}

/// `[batch] packing`: several whole documents in a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PackingConfig {
    /// Each document in the fullest sequence of `objective.context` tokens that has room for it, the longest first.
    /// None is cut but those that are longer.
    BestFit {
        /// Documents that are packed together: those of a window are near each other in every epoch. More leave less
        /// padding, above all where `objective.context` holds many documents.
        #[serde(default = "defaults::window")]
        window: u64,
    },
}

/// `[evaluation]`. The last step is always evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "what is measured, not the interval that a plateau listens to"))]
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

/// `[report]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "what is shown"))]
pub struct ReportConfig {
    /// Whether TensorBoard event files are written.
    #[serde(default = "defaults::yes")]
    pub tensorboard: bool,
    /// Whether every sample that is delivered is recorded, in `audit/`, for `genesis audit`.
    #[serde(default, skip_serializing_if = "is_off")]
    pub audit: bool,
    /// Text generated after the last step (causal models); absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleConfig>,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { tensorboard: true, audit: false, sample: None }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_off(switch: &bool) -> bool {
    !switch
}

/// `[report.sample]`: what is generated for the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleConfig {
    /// Texts to continue; an empty one starts from the tokenizer's begin token.
    #[serde(default = "defaults::prompts")]
    pub prompts: Vec<String>,
    /// Samples per prompt.
    #[serde(default = "defaults::one")]
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

/// Values of keys that may be left out.
mod defaults {
    pub(super) fn mask_rate() -> f64 {
        0.15
    }
    pub(super) fn window() -> u64 {
        4096
    }
    pub(super) fn one() -> usize {
        1
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

impl Root for SequencesConfig {
    const PATHS: &'static [&'static str] = &[
        "run.dir",
        "run.from",
        "data.dataset",
        "data.mixture",
        "data.source.inputs",
        "data.source.tokenizer.file",
    ];

    fn run(&self) -> &RunTable {
        &self.run
    }

    fn run_mut(&mut self) -> &mut RunTable {
        &mut self.run
    }

    fn parallel(&self) -> &ParallelConfig {
        &self.parallel
    }

    fn problems(&self) -> Vec<ConfigProblem> {
        check::check(self)
    }
}
