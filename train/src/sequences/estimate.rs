//! What a run will cost, from its plan alone: memory, disk, operations, time.

use genesis_data::sequences::card::SplitCard;
use genesis_model::specs;
use genesis_model::transformer::{Activation, FlopsPerToken, TransformerConfig};
use serde::Serialize;

use super::plan::SequencesPlan;
use super::settings::ObjectiveConfig;

/// Bytes of an f32, the type of weights, gradients, moments and activations.
pub const FLOAT_BYTES: u64 = 4;

/// What a run will cost on one device. Bytes, unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Trained parameters.
    pub num_parameters: u64,
    /// Those of them in embedding tables.
    pub num_embedding_parameters: u64,
    /// Weights, f32.
    pub weights_bytes: u64,
    /// Gradients, f32.
    pub gradients_bytes: u64,
    /// First and second moments, f32.
    pub moments_bytes: u64,
    /// What the forward pass of one accumulation slice keeps for the backward, see
    /// [`activation_floats_per_token`]. An estimate.
    pub activations_bytes: u64,
    /// Sum of the four above.
    pub total_bytes: u64,
    /// Tokens of one optimizer step.
    pub tokens_per_step: u64,
    /// Tokens of the run.
    pub total_tokens: u64,
    /// Passes over the training split.
    pub epochs: f64,
    /// The share of sequences that holds nothing, where documents are packed. It is not computed.
    pub padding: Option<f64>,
    /// One checkpoint on disk: weights and both moments, f32.
    pub checkpoint_bytes: u64,
    /// Floating-point operations per token, forward and backward: products and attention.
    pub flops_per_token: f64,
    /// Operations of the run.
    pub total_flops: f64,
    /// Seconds, if a rate of matrix products was measured. A lower bound: everything that is not
    /// a product comes on top.
    pub seconds: Option<f64>,
}

/// The cost of `plan` on its training split. `matmul_flops_per_s` is a measured rate of matrix
/// products of this device.
pub fn estimate(
    plan: &SequencesPlan,
    train: &SplitCard,
    matmul_flops_per_s: Option<f64>,
) -> Estimate {
    let weights_bytes = FLOAT_BYTES * plan.num_parameters;
    let activations_bytes = activations_bytes(plan, 1);
    let total_tokens = plan.steps * plan.tokens_per_step;
    let flops_per_token = FlopsPerToken::new(&plan.model, mean_segment(plan, train)).total();
    let total_flops = flops_per_token * total_tokens as f64;
    Estimate {
        num_parameters: plan.num_parameters,
        num_embedding_parameters: embedding_parameters(&plan.model),
        weights_bytes,
        gradients_bytes: weights_bytes,
        moments_bytes: 2 * weights_bytes,
        activations_bytes,
        total_bytes: 4 * weights_bytes + activations_bytes,
        tokens_per_step: plan.tokens_per_step,
        total_tokens,
        epochs: epochs(plan, train),
        padding: padding(plan),
        checkpoint_bytes: 3 * weights_bytes,
        flops_per_token,
        total_flops,
        seconds: matmul_flops_per_s.filter(|rate| *rate > 0.0).map(|rate| total_flops / rate),
    }
}

/// What the forward pass of one slice keeps on a rank of `ranks`, which share the slices of a step and get a part
/// of one each where there are more ranks.
pub fn activations_bytes(plan: &SequencesPlan, ranks: u64) -> u64 {
    let slices = (plan.loader.accumulation.max(1) as u64).div_ceil(ranks) * ranks;
    FLOAT_BYTES * (plan.tokens_per_step / slices) * activation_floats_per_token(&plan.model)
}

/// Numbers kept per token for the backward pass, one graph node per operation.
///
/// With width `C`, query width `Q = H D`, key width `K = G D`, feed-forward width `F`:
///
/// ```text
/// per layer   6 C          inputs and outputs of two norms, two residual sums
///             3 Q + 3 K    projections, their rotated copies, attention output, values
///             H            log-sum-exp of attention
///             3 F | 2 F    gate, up and product (SwiGLU) | before and after GELU
/// once        4 C          embedding, last norm, head input
/// ```
///
/// Logits are made in chunks and never kept.
pub fn activation_floats_per_token(model: &TransformerConfig) -> u64 {
    let queries = model.num_heads * model.head_width;
    let keys = model.num_key_heads * model.head_width;
    let inner = if model.activation == Activation::Swiglu { 3 } else { 2 };
    let layer = 6 * model.width
        + 3 * queries
        + 3 * keys
        + model.num_heads
        + inner * model.feed_forward_width;
    (model.num_layers * layer + 4 * model.width) as u64
}

fn embedding_parameters(model: &TransformerConfig) -> u64 {
    let is_table = |name: &str| ["wte", "wpe", "embed"].iter().any(|part| name.contains(part));
    let specs = specs(model);
    let tables = specs.iter().filter(|spec| spec.shape.len() == 2 && is_table(&spec.name));
    tables.map(|spec| spec.num_elements() as u64).sum()
}

/// Mean over tokens of the length of their segment, from the histogram of document lengths.
fn mean_segment(plan: &SequencesPlan, train: &SplitCard) -> f64 {
    let objective = &plan.config.objective;
    let context = objective.context() as f64;
    let (mut weighted, mut tokens) = (0.0, 0.0);
    for (&length, &documents) in &train.length_histogram {
        let (length, documents) = (length as f64, documents as f64);
        let segment = length.min(context);
        // Blocks and rows cut long documents into several segments; masked samples see one window each.
        let seen = match objective {
            ObjectiveConfig::Masked { .. } if plan.rows.is_empty() => segment,
            ObjectiveConfig::Masked { .. } | ObjectiveConfig::Causal { .. } => length,
        };
        weighted += documents * seen * segment;
        tokens += documents * seen;
    }
    if tokens > 0.0 { weighted / tokens } else { context }
}

fn epochs(plan: &SequencesPlan, train: &SplitCard) -> f64 {
    let sequences = plan.steps as f64 * plan.loader.sequences_per_step as f64;
    let per_epoch = match (plan.rows_per_epoch(), plan.config.objective) {
        (Some(rows), _) => rows as f64,
        (None, ObjectiveConfig::Causal { context }) => train.tokens as f64 / context as f64,
        (None, ObjectiveConfig::Masked { .. }) => train.documents as f64,
    };
    if per_epoch > 0.0 { sequences / per_epoch } else { 0.0 }
}

fn padding(plan: &SequencesPlan) -> Option<f64> {
    let rows = plan.rows_per_epoch()?;
    let begins = |name: &str| plan.blend.mixture.stretch(0).weights.contains_key(name);
    let sources = plan.blend.mixture.sources.iter().zip(&plan.rows);
    let begun = sources.filter(|(source, _)| begins(&source.name));
    let tokens: u64 = begun.map(|(_, rows)| rows.num_tokens()).sum();
    Some(1.0 - tokens as f64 / (rows as f64 * plan.config.objective.context() as f64))
}
