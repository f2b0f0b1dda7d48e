//! Training steps of a Llama on random tokens: forward, backward, clipping, AdamW.

use burn::tensor::Device;
use genesis_kernels::{Cpu, Precision};
use genesis_model::transformer::{Activation, Family, Rotary};
use genesis_model::{Mode, Params, TransformerConfig, specs};
use genesis_schema::{Seeds, Stream, TokenBatch};
use genesis_train::optim::{AdamSettings, GradientNorm, Optimizer, Rule, clip_scale};
use genesis_train::trainer::step::accumulate;
use serde::{Deserialize, Serialize};

use super::{CaseError, Fields, Repeats, median_s, put, timed};

/// Learning rate and clipping of the peer.
const RATE: f64 = 1e-3;
const MAX_NORM: f64 = 1.0;
/// AdamW of the peer.
pub(super) const ADAMW: Rule =
    Rule::Adamw(AdamSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1 });

/// A network, a batch and how it is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it, with the letters of STYLE.md")]
pub struct TransformerCase {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub context: usize,
    /// Sequences of `context` tokens in a step.
    pub batch: usize,
    pub vocab: usize,
    /// Products of bf16 numbers, sums in f32.
    pub bf16: bool,
    /// Whether a token sees only what precedes it.
    pub causal: bool,
    pub repeats: Repeats,
}

impl TransformerCase {
    pub(super) fn measure(&self) -> Result<Fields, CaseError> {
        let config = self.config();
        let mut training = Training::start(config, self.precision())?;
        let data = Seeds::new(1).stream("bench/tokens");
        let batches: Vec<TokenBatch> =
            (0..self.repeats.total()).map(|step| self.tokens(data, step)).collect();
        let seconds: Vec<f64> = batches.iter().map(|batch| training.step(batch)).collect();
        let step_s = median_s(&seconds, self.repeats)?;
        let mut fields = Fields::new();
        put(&mut fields, "tokens_per_s", (self.batch * self.context) as f64 / step_s);
        put(&mut fields, "step_ms", 1e3 * step_s);
        put(&mut fields, "params", training.params.num_elements());
        put(&mut fields, "loss", training.loss);
        Ok(fields)
    }

    fn precision(&self) -> Precision {
        if self.bf16 { Precision::Bf16Mixed } else { Precision::Full }
    }

    /// The network of the peer: `SwiGLU` of 8/3 the width in whole multiples of 32.
    fn config(&self) -> TransformerConfig {
        TransformerConfig {
            family: Family::Llama,
            vocab_size: self.vocab,
            context: self.context,
            num_layers: self.layers,
            num_heads: self.heads,
            num_key_heads: self.heads,
            head_width: self.width / self.heads.max(1),
            width: self.width,
            feed_forward_width: (self.width * 8).div_ceil(3 * 32) * 32,
            activation: Activation::Swiglu,
            norm_epsilon: 1e-6,
            rotary: Some(Rotary::new(10_000.0)),
            attention_bias: false,
            feed_forward_bias: false,
            tied_head: false,
            bidirectional: !self.causal,
            embedding_norm: false,
            token_dropout: false,
            mask_token: None,
            pad_token: None,
            dropout: 0.0,
            embedding_dropout: 0.0,
            initialiser_std: 0.02,
        }
    }

    /// Random sequences of `context + 1` tokens: each token predicts the next.
    fn tokens(&self, stream: Stream, step: usize) -> TokenBatch {
        let mut batch = TokenBatch::default();
        for sequence in 0..self.batch {
            let number = (step * self.batch + sequence) as u64;
            let id = |at| stream.below(number, at, self.vocab as u64);
            let ids: Vec<i64> = (0..=self.context as u64).map(|at| id(at).cast_signed()).collect();
            let tokens: Vec<u32> =
                ids[..self.context].iter().map(|&id| u32::try_from(id).unwrap_or(0)).collect();
            batch.push_segment(&tokens, &ids[1..], 0, number);
        }
        batch
    }
}

/// A network in training, as the trainer has it.
pub(super) struct Training {
    config: TransformerConfig,
    precision: Precision,
    device: Device<Cpu>,
    pub(super) params: Params<Cpu>,
    optimizer: Optimizer<Cpu>,
    steps_done: u64,
    pub(super) loss: f64,
}

impl Training {
    /// First parameters and an empty optimizer.
    pub(super) fn start(
        config: TransformerConfig,
        precision: Precision,
    ) -> Result<Self, CaseError> {
        config.validate().map_err(|error| CaseError::Network(error.to_string()))?;
        let device = Device::<Cpu>::default();
        let stream = Seeds::new(0).stream("init");
        let params = Params::<Cpu>::initialise(specs(&config).clone(), &stream, &device);
        let optimizer = Optimizer::new(ADAMW, &params);
        Ok(Self { config, precision, device, params, optimizer, steps_done: 0, loss: f64::NAN })
    }

    /// One update on `batch`; seconds it took.
    pub(super) fn step(&mut self, batch: &TokenBatch) -> f64 {
        let dropout = Seeds::new(0).stream("dropout");
        let first = self.steps_done;
        let ((), seconds) = timed(|| {
            let mode = |slice| Mode::training(self.precision, dropout, first + slice);
            let slices = std::slice::from_ref(batch);
            let (loss, gradients) =
                accumulate(&self.config, &self.params, slices, mode, &self.device);
            let norm = GradientNorm::of(&gradients);
            let scale = clip_scale(&norm, Some(MAX_NORM));
            self.optimizer.step(&mut self.params, gradients, scale, RATE);
            self.loss = loss;
        });
        self.steps_done += 1;
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(causal: bool) -> TransformerCase {
        TransformerCase {
            layers: 1,
            width: 32,
            heads: 2,
            context: 8,
            batch: 2,
            vocab: 11,
            bf16: false,
            causal,
            repeats: Repeats { warmup: 1, steps: 1 },
        }
    }

    #[test]
    fn the_network_has_the_parameters_of_the_peer_counted_by_hand() {
        for causal in [true, false] {
            let fields = small(causal).measure().unwrap();
            // Two tables, four projections, three of 96 wide SwiGLU, three norms.
            let want = 2 * 11 * 32 + 4 * 32 * 32 + 3 * 32 * 96 + 3 * 32;
            assert_eq!(fields["params"], want, "{fields:?}");
            let loss = fields["loss"].as_f64().unwrap();
            assert!((loss - 11f64.ln()).abs() < 0.5, "random tokens cannot be predicted: {loss}");
        }
    }

    #[test]
    fn labels_are_the_next_tokens_of_the_same_sequence() {
        let batch = small(true).tokens(Seeds::new(1).stream("bench/tokens"), 3);
        assert_eq!(batch.cu_seqlens, [0, 8, 16]);
        let next = |range: std::ops::Range<usize>| -> Vec<i64> {
            batch.tokens[range].iter().map(|&id| i64::from(id)).collect()
        };
        assert_eq!(batch.labels[..7], next(1..8));
        assert_eq!(batch.labels[8..15], next(9..16));
    }
}
