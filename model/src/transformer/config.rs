//! The one flat description of a transformer that the rest of the code reads.
//!
//! It is what a checkpoint's manifest stores. What a user writes is in `settings`; what a
//! Hugging Face folder says is translated in `hugging_face`. Nothing here touches tensors.

use genesis_schema::TokenBatch;

use super::{ModelError, Rotary, RotaryScaling};
use crate::ConfigProblems;

/// Largest size accepted for any dimension; keeps every product of sizes far from overflow.
const LARGEST: usize = 1 << 24;

/// Which published architecture the network is: decides names, norms and the shape of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Radford et al. 2019: learned positions, `LayerNorm` before each branch, GELU; causal.
    Gpt2,
    /// Touvron et al., arXiv:2302.13971: rotary positions, `RMSNorm`, `SwiGLU`, grouped queries; causal.
    Llama,
    /// Lin et al., doi:10.1126/science.ade2574: rotary positions, `LayerNorm`, GELU; masked.
    Esm2,
}

/// Nonlinearity of the feed-forward branch, under the name transformers gives it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * Phi(x)` by the error function.
    Gelu,
    /// The tanh approximation.
    GeluNew,
    /// The tanh approximation; the same function as `gelu_new`.
    GeluPytorchTanh,
    /// `silu(gate) * up`.
    Swiglu,
}

/// Everything that fixes the function a transformer computes, and its first values.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent options, each a key of the file")]
pub struct TransformerConfig {
    /// Architecture.
    pub family: Family,
    /// Rows of the embedding, `V`.
    pub vocab_size: usize,
    /// Longest segment, `T`: rows of learned positions; a statement of intent for rotary ones.
    pub context: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Query heads, `H`.
    pub num_heads: usize,
    /// Key and value heads, `G`; divides `H`.
    pub num_key_heads: usize,
    /// Width of one head, `D`.
    pub head_width: usize,
    /// Width of the residual stream, `C`.
    pub width: usize,
    /// Width inside the feed-forward branch, `F`.
    pub feed_forward_width: usize,
    /// Nonlinearity of the feed-forward branch.
    pub activation: Activation,
    /// Added to variances (`LayerNorm`) or mean squares (`RMSNorm`).
    pub norm_epsilon: f64,
    /// Rotary positions; absent means learned positions.
    pub rotary: Option<Rotary>,
    /// Biases of the query, key, value and output projections.
    pub attention_bias: bool,
    /// Biases of the feed-forward projections.
    pub feed_forward_bias: bool,
    /// Whether the last projection reuses the embedding.
    pub tied_head: bool,
    /// Llama: a token sees its whole segment, as in a masked model. Comparisons of speed use it; no
    /// published format has a place for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bidirectional: bool,
    /// ESM-2: normalise embeddings before the first block.
    pub embedding_norm: bool,
    /// ESM-2: zero the embeddings of mask tokens and rescale the rest.
    pub token_dropout: bool,
    /// Id of the mask token, needed by `token_dropout`.
    pub mask_token: Option<u32>,
    /// Id of the padding token: written to exports, never seen by the network.
    pub pad_token: Option<u32>,
    /// Probability of dropping an element of a residual branch while training.
    pub dropout: f64,
    /// Probability of dropping an element of the embeddings while training.
    pub embedding_dropout: f64,
    /// Standard deviation of first weights.
    pub initialiser_std: f64,
}

impl TransformerConfig {
    /// Whether a token sees only itself and what precedes it.
    pub fn causal(&self) -> bool {
        self.family != Family::Esm2 && !self.bidirectional
    }

    /// Factor of attention scores, `D^(-1/2)`.
    pub fn attention_scale(&self) -> f64 {
        (self.head_width as f64).powf(-0.5)
    }

    /// The same network whose rotary frequencies are those a file stores.
    #[must_use]
    pub fn with_stored_frequencies(mut self, frequencies: Option<Vec<f32>>) -> Self {
        if let Some(rotary) = &mut self.rotary {
            rotary.stored_frequencies = frequencies;
        }
        self
    }

    /// Whether the network can take this batch, for batches from outside.
    ///
    /// # Errors
    /// [`ModelError`] naming the first token outside the vocabulary or position outside a learned
    /// table.
    pub fn check_batch(&self, batch: &TokenBatch) -> Result<(), ModelError> {
        self.check_tokens(&batch.tokens)?;
        self.check_labels(&batch.labels)?;
        self.check_positions(&batch.positions)
    }

    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<(), ModelError> {
        match tokens.iter().position(|&token| token as usize >= self.vocab_size) {
            None => Ok(()),
            Some(at) => Err(ModelError::Token {
                at,
                token: i64::from(tokens[at]),
                vocab_size: self.vocab_size,
            }),
        }
    }

    pub(crate) fn check_labels(&self, labels: &[i64]) -> Result<(), ModelError> {
        let allowed = |label: i64| {
            label == genesis_schema::IGNORE
                || usize::try_from(label).is_ok_and(|label| label < self.vocab_size)
        };
        match labels.iter().position(|&label| !allowed(label)) {
            None => Ok(()),
            Some(at) => {
                Err(ModelError::Token { at, token: labels[at], vocab_size: self.vocab_size })
            }
        }
    }

    pub(crate) fn check_positions(&self, positions: &[u32]) -> Result<(), ModelError> {
        let outside = |&position: &u32| self.rotary.is_none() && position as usize >= self.context;
        match positions.iter().position(outside) {
            None => Ok(()),
            Some(at) => {
                Err(ModelError::Position { at, position: positions[at], context: self.context })
            }
        }
    }

    /// Checks sizes, divisibility and the options each family has.
    ///
    /// # Errors
    /// [`ConfigProblems`] with every problem at once.
    pub fn validate(&self) -> Result<(), ConfigProblems> {
        let mut problems = Vec::new();
        self.check_sizes(&mut problems);
        if problems.is_empty() {
            self.check_heads(&mut problems);
        }
        self.check_numbers(&mut problems);
        self.check_family(&mut problems);
        self.check_special_tokens(&mut problems);
        if let Some(rotary) = &self.rotary {
            check_rotary(rotary, self.head_width, &mut problems);
        }
        ConfigProblems::check(problems)
    }

    fn check_sizes(&self, problems: &mut Vec<String>) {
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("context", self.context),
            ("num_layers", self.num_layers),
            ("num_heads", self.num_heads),
            ("num_key_heads", self.num_key_heads),
            ("head_width", self.head_width),
            ("width", self.width),
            ("feed_forward_width", self.feed_forward_width),
        ] {
            let largest = if name == "num_layers" { 4096 } else { LARGEST };
            if !(1..=largest).contains(&value) {
                problems.push(format!("{name} = {value} must lie in 1..={largest}"));
            }
        }
    }

    fn check_heads(&self, problems: &mut Vec<String>) {
        let Self { width, num_heads, num_key_heads, head_width, .. } = *self;
        if !width.is_multiple_of(num_heads) {
            problems.push(format!("width = {width} must be a multiple of num_heads = {num_heads}"));
        } else if self.family != Family::Llama && head_width * num_heads != width {
            problems.push(format!(
                "head_width = {head_width} must be width / num_heads = {} in this family",
                width / num_heads
            ));
        }
        if !num_heads.is_multiple_of(num_key_heads) {
            problems.push(format!(
                "num_heads = {num_heads} must be a multiple of num_key_heads = {num_key_heads}"
            ));
        }
        if self.family != Family::Llama && num_heads != num_key_heads {
            problems.push(format!(
                "num_key_heads = {num_key_heads} must equal num_heads = {num_heads}: only `llama` \
                 groups queries"
            ));
        }
    }

    fn check_numbers(&self, problems: &mut Vec<String>) {
        for (name, value) in
            [("norm_epsilon", self.norm_epsilon), ("initialiser_std", self.initialiser_std)]
        {
            if !(value.is_finite() && value > 0.0) {
                problems.push(format!("{name} = {value} must be positive and finite"));
            }
        }
        for (name, value) in
            [("dropout", self.dropout), ("embedding_dropout", self.embedding_dropout)]
        {
            if !(0.0..1.0).contains(&value) {
                problems.push(format!("{name} = {value} must lie in [0, 1)"));
            }
        }
    }

    fn check_family(&self, problems: &mut Vec<String>) {
        let gelu = self.activation != Activation::Swiglu;
        let mut require = |holds: bool, sentence: &str| {
            if !holds {
                problems.push(sentence.to_owned());
            }
        };
        let masked = self.family == Family::Esm2;
        let biased = self.attention_bias && self.feed_forward_bias;
        require(masked || !self.embedding_norm, "embedding_norm belongs to `esm2` only");
        require(masked || !self.token_dropout, "token_dropout belongs to `esm2` only");
        let llama = self.family == Family::Llama;
        require(llama || !self.bidirectional, "bidirectional belongs to `llama` only");
        match self.family {
            Family::Gpt2 => {
                require(self.rotary.is_none(), "`gpt2` has learned positions, not rotary ones");
                require(gelu, "activation of `gpt2` is gelu, gelu_new or gelu_pytorch_tanh");
                require(biased, "`gpt2` has biases everywhere");
            }
            Family::Llama => {
                require(self.rotary.is_some(), "`llama` needs rotary positions");
                require(!gelu, "activation of `llama` is swiglu");
            }
            Family::Esm2 => {
                require(self.rotary.is_some(), "`esm2` needs rotary positions");
                let plain = self.activation == Activation::Gelu;
                require(plain, "activation of `esm2` is gelu");
                require(biased, "`esm2` has biases everywhere");
            }
        }
    }

    fn check_special_tokens(&self, problems: &mut Vec<String>) {
        if self.token_dropout && self.mask_token.is_none() {
            problems.push(
                "token_dropout needs mask_token: name the id of <mask>, or turn token_dropout off"
                    .into(),
            );
        }
        for (name, token) in [("mask_token", self.mask_token), ("pad_token", self.pad_token)] {
            if let Some(token) = token
                && token as usize >= self.vocab_size
            {
                let size = self.vocab_size;
                problems.push(format!("{name} = {token} must be below vocab_size = {size}"));
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn check_rotary(rotary: &Rotary, head_width: usize, problems: &mut Vec<String>) {
    if !head_width.is_multiple_of(2) {
        problems.push(format!("head_width = {head_width} must be even for rotary positions"));
    }
    if !(rotary.base.is_finite() && rotary.base > 0.0) {
        problems.push(format!("rotary_base = {} must be positive and finite", rotary.base));
    }
    if let Some(stored) = &rotary.stored_frequencies
        && (stored.len() != head_width / 2 || stored.iter().any(|f| !f.is_finite()))
    {
        problems.push(format!(
            "stored rotary frequencies: {} given, {} finite ones needed",
            stored.len(),
            head_width / 2
        ));
    }
    if let RotaryScaling::Llama3 {
        factor,
        low_frequency_factor,
        high_frequency_factor,
        original_context,
    } = rotary.scaling
    {
        if !(factor.is_finite() && factor >= 1.0) {
            problems.push(format!("rotary_scaling.factor = {factor} must be at least 1"));
        }
        let ordered = 0.0 < low_frequency_factor && low_frequency_factor < high_frequency_factor;
        if !ordered || !high_frequency_factor.is_finite() {
            problems.push(format!(
                "rotary_scaling: 0 < low_frequency_factor = {low_frequency_factor} < \
                 high_frequency_factor = {high_frequency_factor} must hold"
            ));
        }
        if !(1..=LARGEST).contains(&original_context) {
            problems.push(format!(
                "rotary_scaling.original_context = {original_context} must lie in 1..={LARGEST}"
            ));
        }
    }
}
