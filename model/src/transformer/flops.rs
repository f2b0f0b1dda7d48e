//! Floating-point operations of training, counted from the shapes.
//!
//! A product of `[a, b]` and `[b, c]` is `2 a b c` operations, and the backward pass is two such
//! products for each of the forward. Not counted: norms, nonlinearities, biases, lookups, softmax,
//! the optimizer, and the scores that a fused attention computes again in its backward.

use super::{Activation, Family, TransformerConfig};

/// Operations per token of forward and backward together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlopsPerToken {
    /// Projections of all blocks: 6 per weight.
    pub blocks: f64,
    /// Scores and weighted values: `12 L H D` times the keys that a token sees on average.
    pub attention: f64,
    /// Last projection (and ESM-2's dense layer before it): 6 per weight. Masked models evaluate
    /// it on labelled tokens only, so multiply by their share to get operations really done.
    pub head: f64,
}

impl FlopsPerToken {
    /// Counts for segments of `mean_segment` tokens, the mean over *tokens* of the length of their
    /// segment: `sum n^2 / sum n`. A causal token sees `(n + 1) / 2` keys on average, a masked one
    /// all `n`.
    pub fn new(config: &TransformerConfig, mean_segment: f64) -> Self {
        let layers = config.num_layers as f64;
        let (c, f) = (config.width as f64, config.feed_forward_width as f64);
        let queries = (config.num_heads * config.head_width) as f64;
        let keys = (config.num_key_heads * config.head_width) as f64;
        let matrices = if config.activation == Activation::Swiglu { 3.0 } else { 2.0 };
        let weights = 2.0 * c * queries + 2.0 * c * keys + matrices * c * f;
        let seen = if config.causal() { f64::midpoint(mean_segment, 1.0) } else { mean_segment };
        let dense = if config.family == Family::Esm2 { c * c } else { 0.0 };
        Self {
            blocks: 6.0 * layers * weights,
            attention: 12.0 * layers * queries * seen,
            head: 6.0 * (c * config.vocab_size as f64 + dense),
        }
    }

    /// All of it.
    pub fn total(&self) -> f64 {
        self.blocks + self.attention + self.head
    }
}

/// Operations per token of forward and backward, every token through the head:
/// [`FlopsPerToken::total`].
pub fn flops_per_token(config: &TransformerConfig, mean_segment: f64) -> f64 {
    FlopsPerToken::new(config, mean_segment).total()
}

#[cfg(test)]
mod tests {
    use crate::ModelConfig;

    use super::*;

    fn count(table: &str, mean_segment: f64) -> [f64; 3] {
        let model: ModelConfig = toml::from_str(table).unwrap();
        let config = model.with_special_tokens(Some(3), None).resolve(10).unwrap();
        let flops = FlopsPerToken::new(&config, mean_segment);
        [flops.blocks, flops.attention, flops.head]
    }

    fn assert_counts(got: [f64; 3], want: [f64; 3]) {
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9), "{got:?} {want:?}");
    }

    #[test]
    fn gpt2_counts_agree_with_a_count_by_hand() {
        // C = 8, F = 32: qkv 8*24 + out 8*8 + up 8*32 + down 32*8 = 768 weights a layer, 2 layers.
        let got = count("kind='gpt2'\ncontext=16\nnum_layers=2\nnum_heads=2\nwidth=8", 15.0);
        assert_counts(got, [6.0 * 2.0 * 768.0, 12.0 * 2.0 * 8.0 * 8.0, 6.0 * 80.0]);
    }

    #[test]
    fn llama_counts_fewer_key_heads_and_three_matrices() {
        // q and o 2*8*8, k and v 2*8*4, three of 8*20: 672 weights.
        let got = count(
            "kind='llama'\ncontext=16\nnum_layers=1\nnum_heads=4\nnum_key_heads=2\nwidth=8\n\
             feed_forward_width=20",
            1.0,
        );
        assert_counts(got, [6.0 * 672.0, 12.0 * 8.0, 6.0 * 80.0]);
    }

    #[test]
    fn esm2_counts_all_keys_and_the_dense_layer_of_the_head() {
        let got = count(
            "kind='esm2'\ncontext=16\nnum_layers=1\nnum_heads=2\nwidth=8\nfeed_forward_width=16",
            5.0,
        );
        assert_counts(got, [6.0 * (256.0 + 256.0), 12.0 * 8.0 * 5.0, 6.0 * (80.0 + 64.0)]);
    }
}
