//! The `[model]` table of a run: what a user writes, with defaults, one struct per family.
//!
//! [`ModelConfig::resolve`] turns it into the flat [`TransformerConfig`] once the vocabulary is
//! known, reporting all problems at once.

use super::{Activation, Family, Rotary, RotaryScaling, TransformerConfig};
use crate::ConfigProblems;

/// `[model]`: `kind` names the family.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelConfig {
    /// Causal, learned positions.
    Gpt2(Gpt2Config),
    /// Causal, rotary positions, grouped queries.
    Llama(LlamaConfig),
    /// Masked, rotary positions: protein language models.
    Esm2(Esm2Config),
}

/// A GPT-2: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gpt2Config {
    /// Rows of the embedding, at least the tokenizer's; its number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<usize>,
    /// Longest segment, tokens.
    pub context: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Attention heads; divides `width`.
    pub num_heads: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Width inside the feed-forward branch; 4 times `width` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed_forward_width: Option<usize>,
    /// `gelu`, `gelu_new` or `gelu_pytorch_tanh`.
    #[serde(default = "gelu_new")]
    pub activation: Activation,
    /// Added to variances.
    #[serde(default = "epsilon")]
    pub norm_epsilon: f64,
    /// Whether the head reuses the embedding.
    #[serde(default = "yes")]
    pub tied_head: bool,
    /// Dropout of embeddings and residual branches while training, in [0, 1).
    #[serde(default)]
    pub dropout: f64,
    /// Standard deviation of first weights; residual projections get this over sqrt(2 layers).
    #[serde(default = "std")]
    pub initialiser_std: f64,
}

/// A Llama: Touvron et al., arXiv:2302.13971 and arXiv:2307.09288.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LlamaConfig {
    /// Rows of the embedding, at least the tokenizer's; its number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<usize>,
    /// Longest segment, tokens.
    pub context: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Query heads; divides `width`.
    pub num_heads: usize,
    /// Key and value heads, which divides `num_heads`; as many as query heads when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_key_heads: Option<usize>,
    /// Width of one head, even; `width / num_heads` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_width: Option<usize>,
    /// Width of the residual stream.
    pub width: usize,
    /// Width inside the feed-forward branch; 8/3 of `width` rounded up to a multiple of 64 when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed_forward_width: Option<usize>,
    /// Added to mean squares.
    #[serde(default = "epsilon")]
    pub norm_epsilon: f64,
    /// Base of the rotary wavelengths.
    #[serde(default = "base")]
    pub rotary_base: f64,
    /// Long-context scaling of the rotary wavelengths.
    #[serde(default = "unscaled")]
    pub rotary_scaling: RotaryScaling,
    /// Biases of the attention projections.
    #[serde(default)]
    pub attention_bias: bool,
    /// Biases of the feed-forward projections.
    #[serde(default)]
    pub feed_forward_bias: bool,
    /// Whether the head reuses the embedding.
    #[serde(default)]
    pub tied_head: bool,
    /// Dropout of embeddings and residual branches while training, in [0, 1).
    #[serde(default)]
    pub dropout: f64,
    /// Standard deviation of first weights.
    #[serde(default = "std")]
    pub initialiser_std: f64,
}

/// An ESM-2: Lin et al., doi:10.1126/science.ade2574.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Esm2Config {
    /// Rows of the embedding, at least the tokenizer's; its number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<usize>,
    /// Longest segment, tokens.
    pub context: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Attention heads; divides `width`.
    pub num_heads: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Width inside the feed-forward branch; 4 times `width` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed_forward_width: Option<usize>,
    /// Added to variances.
    #[serde(default = "epsilon")]
    pub norm_epsilon: f64,
    /// Base of the rotary wavelengths.
    #[serde(default = "base")]
    pub rotary_base: f64,
    /// Whether the head reuses the embedding.
    #[serde(default = "yes")]
    pub tied_head: bool,
    /// Normalise embeddings before the first block.
    #[serde(default)]
    pub embedding_norm: bool,
    /// Zero the embeddings of mask tokens and rescale the rest.
    #[serde(default = "yes")]
    pub token_dropout: bool,
    /// Id of the mask token; the dataset's tokenizer decides when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_token: Option<u32>,
    /// Id of the padding token; the dataset's tokenizer decides when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_token: Option<u32>,
    /// Dropout of residual branches while training, in [0, 1); ESM-2 drops no embeddings.
    #[serde(default)]
    pub dropout: f64,
    /// Standard deviation of first weights.
    #[serde(default = "std")]
    pub initialiser_std: f64,
}

fn gelu_new() -> Activation {
    Activation::GeluNew
}
fn epsilon() -> f64 {
    1e-5
}
fn yes() -> bool {
    true
}
fn std() -> f64 {
    0.02
}
fn base() -> f64 {
    10_000.0
}
fn unscaled() -> RotaryScaling {
    RotaryScaling::None {}
}

impl ModelConfig {
    /// Longest segment, tokens.
    pub fn context(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.context,
            Self::Llama(config) => config.context,
            Self::Esm2(config) => config.context,
        }
    }

    /// Fills special tokens the file does not give; only `esm2` has any.
    #[must_use]
    pub fn with_special_tokens(mut self, mask: Option<u32>, pad: Option<u32>) -> Self {
        if let Self::Esm2(config) = &mut self {
            config.mask_token = config.mask_token.or(mask);
            config.pad_token = config.pad_token.or(pad);
        }
        self
    }

    /// The full description, with `vocab_size` of the tokenizer where the table gives none.
    ///
    /// # Errors
    /// [`ConfigProblems`] with every problem at once, also if the table's vocabulary is smaller
    /// than the tokenizer's.
    pub fn resolve(&self, vocab_size: usize) -> Result<TransformerConfig, ConfigProblems> {
        let config = match self {
            Self::Gpt2(config) => config.flat(vocab_size),
            Self::Llama(config) => config.flat(vocab_size),
            Self::Esm2(config) => config.flat(vocab_size),
        };
        let mut problems = config.validate().err().map_or_else(Vec::new, |e| e.problems);
        if config.vocab_size < vocab_size {
            problems.push(format!(
                "vocab_size = {} must be at least {vocab_size}, the tokenizer's; leave it out to \
                 take the tokenizer's",
                config.vocab_size
            ));
        }
        ConfigProblems::check(problems).map(|()| config)
    }
}

impl Gpt2Config {
    fn flat(&self, vocab_size: usize) -> TransformerConfig {
        TransformerConfig {
            family: Family::Gpt2,
            vocab_size: self.vocab_size.unwrap_or(vocab_size),
            context: self.context,
            num_layers: self.num_layers,
            num_heads: self.num_heads,
            num_key_heads: self.num_heads,
            head_width: quotient(self.width, self.num_heads),
            width: self.width,
            feed_forward_width: self.feed_forward_width.unwrap_or(self.width.saturating_mul(4)),
            activation: self.activation,
            norm_epsilon: self.norm_epsilon,
            rotary: None,
            attention_bias: true,
            feed_forward_bias: true,
            tied_head: self.tied_head,
            bidirectional: false,
            embedding_norm: false,
            token_dropout: false,
            mask_token: None,
            pad_token: None,
            dropout: self.dropout,
            embedding_dropout: self.dropout,
            initialiser_std: self.initialiser_std,
        }
    }
}

impl LlamaConfig {
    fn flat(&self, vocab_size: usize) -> TransformerConfig {
        let rotary = Rotary { scaling: self.rotary_scaling, ..Rotary::new(self.rotary_base) };
        TransformerConfig {
            family: Family::Llama,
            vocab_size: self.vocab_size.unwrap_or(vocab_size),
            context: self.context,
            num_layers: self.num_layers,
            num_heads: self.num_heads,
            num_key_heads: self.num_key_heads.unwrap_or(self.num_heads),
            head_width: self.head_width.unwrap_or(quotient(self.width, self.num_heads)),
            width: self.width,
            feed_forward_width: self.feed_forward_width.unwrap_or(two_thirds(self.width)),
            activation: Activation::Swiglu,
            norm_epsilon: self.norm_epsilon,
            rotary: Some(rotary),
            attention_bias: self.attention_bias,
            feed_forward_bias: self.feed_forward_bias,
            tied_head: self.tied_head,
            bidirectional: false,
            embedding_norm: false,
            token_dropout: false,
            mask_token: None,
            pad_token: None,
            dropout: self.dropout,
            embedding_dropout: self.dropout,
            initialiser_std: self.initialiser_std,
        }
    }
}

impl Esm2Config {
    fn flat(&self, vocab_size: usize) -> TransformerConfig {
        TransformerConfig {
            family: Family::Esm2,
            vocab_size: self.vocab_size.unwrap_or(vocab_size),
            context: self.context,
            num_layers: self.num_layers,
            num_heads: self.num_heads,
            num_key_heads: self.num_heads,
            head_width: quotient(self.width, self.num_heads),
            width: self.width,
            feed_forward_width: self.feed_forward_width.unwrap_or(self.width.saturating_mul(4)),
            activation: Activation::Gelu,
            norm_epsilon: self.norm_epsilon,
            rotary: Some(Rotary::new(self.rotary_base)),
            attention_bias: true,
            feed_forward_bias: true,
            tied_head: self.tied_head,
            bidirectional: false,
            embedding_norm: self.embedding_norm,
            token_dropout: self.token_dropout,
            mask_token: self.mask_token,
            pad_token: self.pad_token,
            dropout: self.dropout,
            embedding_dropout: 0.0,
            initialiser_std: self.initialiser_std,
        }
    }
}

/// Zero heads are reported by `validate`; here they must only not divide.
fn quotient(width: usize, heads: usize) -> usize {
    width.checked_div(heads).unwrap_or(1)
}

/// Two thirds of the usual factor 4, because `SwiGLU` has three matrices instead of two.
fn two_thirds(width: usize) -> usize {
    width.saturating_mul(8).div_ceil(3).div_ceil(64).saturating_mul(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAMA: &str = "kind = 'llama'\ncontext = 64\nnum_layers = 2\nnum_heads = 4\nwidth = 32\n";

    #[test]
    fn a_short_table_gets_every_default() {
        let model: ModelConfig = toml::from_str(LLAMA).unwrap();
        let config = model.resolve(256).unwrap();
        assert_eq!((config.vocab_size, config.num_key_heads, config.head_width), (256, 4, 8));
        assert_eq!((config.feed_forward_width, config.tied_head), (128, false));
        assert_eq!(config.rotary, Some(Rotary::new(10_000.0)));
    }

    #[test]
    fn a_resolved_and_a_written_config_survive_their_text_forms() {
        let table = format!(
            "{LLAMA}[rotary_scaling]\nkind = 'llama3'\nfactor = 8\nlow_frequency_factor = 1.0\n\
             high_frequency_factor = 4.0\noriginal_context = 64\n"
        );
        let model: ModelConfig = toml::from_str(&table).unwrap();
        let text = toml::to_string(&model).unwrap();
        assert_eq!(toml::from_str::<ModelConfig>(&text).unwrap(), model);
        let config = model.resolve(9).unwrap();
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<TransformerConfig>(&json).unwrap(), config);
    }

    #[test]
    fn unknown_keys_are_rejected_in_every_family() {
        for kind in ["gpt2", "llama", "esm2"] {
            let table = LLAMA.replace("llama", kind) + "hidden = 3\n";
            let error = toml::from_str::<ModelConfig>(&table).unwrap_err().to_string();
            assert!(error.contains("unknown field `hidden`"), "{error}");
        }
        let stray = format!("{LLAMA}rotary_scaling = {{ kind = 'none', factor = 2 }}");
        assert!(toml::from_str::<ModelConfig>(&stray).is_err());
    }

    #[test]
    fn all_problems_are_listed_at_once() {
        let table = "kind = 'llama'\ncontext = 64\nnum_layers = 2\nnum_heads = 4\nwidth = 30\n\
                     num_key_heads = 3\nhead_width = 7\nnorm_epsilon = 0.0\ndropout = 1.0\n\
                     vocab_size = 5\n";
        let model: ModelConfig = toml::from_str(table).unwrap();
        let problems = model.resolve(9).unwrap_err().problems;
        for part in [
            "width = 30 must be a multiple of num_heads = 4",
            "num_heads = 4 must be a multiple of num_key_heads = 3",
            "head_width = 7 must be even",
            "norm_epsilon = 0 must be positive",
            "dropout = 1 must lie in [0, 1)",
            "vocab_size = 5 must be at least 9",
        ] {
            assert!(problems.iter().any(|p| p.contains(part)), "{part} not in {problems:#?}");
        }
    }

    #[test]
    fn hostile_sizes_are_problems_and_not_panics() {
        for size in [0, usize::MAX >> 1] {
            let table = format!(
                "kind = 'gpt2'\ncontext = {size}\nnum_layers = {size}\nnum_heads = {size}\n\
                 width = {size}\n"
            );
            let model: ModelConfig = toml::from_str(&table).unwrap();
            assert!(model.resolve(size).unwrap_err().problems.len() >= 5);
        }
    }

    #[test]
    fn token_dropout_takes_the_mask_of_the_tokenizer_or_asks_for_one() {
        let table = LLAMA.replace("llama", "esm2");
        let model: ModelConfig = toml::from_str(&table).unwrap();
        let error = model.resolve(33).unwrap_err().to_string();
        assert!(error.contains("token_dropout needs mask_token"), "{error}");
        let config = model.with_special_tokens(Some(32), Some(1)).resolve(33).unwrap();
        assert_eq!((config.mask_token, config.pad_token), (Some(32), Some(1)));
    }
}
