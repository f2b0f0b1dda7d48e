//! Training steps of a Llama on random tokens: forward, backward, clipping, AdamW.

use genesis_kernels::{Kernels, Precision};
use genesis_model::transformer::{Activation, Family, Rotary};
use genesis_model::{Mode, Params, TransformerConfig, specs};
use genesis_schema::{Seeds, Stream, TokenBatch};
use genesis_train::sequences::step::accumulate;
use genesis_train::trainer::optim::{AdamSettings, GradientNorm, Optimizer, Rule, clip_scale};
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
    #[serde(default)]
    pub network: Network,
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

/// Which transformer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// RMSNorm, rotary positions, SwiGLU, no biases, a head of its own.
    #[default]
    Llama,
    /// LayerNorm, learned positions, GELU in its tanh form, biases, a head tied to the embedding.
    Gpt2,
}

impl TransformerCase {
    /// GPT-2 of 124 million parameters in bf16-mixed, with the context it was trained on.
    pub fn gpt2_124m(batch: usize, repeats: Repeats) -> Self {
        Self {
            network: Network::Gpt2,
            layers: 12,
            width: 768,
            heads: 12,
            context: 1024,
            batch,
            vocab: 50_257,
            bf16: true,
            causal: true,
            repeats,
        }
    }

    pub(super) fn measure<B: Kernels>(&self, device: &B::Device) -> Result<Fields, CaseError> {
        let config = self.config();
        let mut training = Training::<B>::start(config, self.precision(), device)?;
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

    fn config(&self) -> TransformerConfig {
        match self.network {
            Network::Llama => self.llama(),
            Network::Gpt2 => TransformerConfig {
                family: Family::Gpt2,
                feed_forward_width: 4 * self.width,
                activation: Activation::GeluNew,
                norm_epsilon: 1e-5,
                rotary: None,
                attention_bias: true,
                feed_forward_bias: true,
                tied_head: true,
                ..self.llama()
            },
        }
    }

    /// The network of the peer: `SwiGLU` of 8/3 the width in whole multiples of 32.
    fn llama(&self) -> TransformerConfig {
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
pub(super) struct Training<B: Kernels> {
    config: TransformerConfig,
    precision: Precision,
    device: B::Device,
    pub(super) params: Params<B>,
    optimizer: Optimizer<B>,
    steps_done: u64,
    pub(super) loss: f64,
}

impl<B: Kernels> Training<B> {
    /// First parameters and an empty optimizer.
    pub(super) fn start(
        config: TransformerConfig,
        precision: Precision,
        device: &B::Device,
    ) -> Result<Self, CaseError> {
        config.validate().map_err(|error| CaseError::Network(error.to_string()))?;
        let device = device.clone();
        let stream = Seeds::new(0).stream("init");
        let params = Params::<B>::initialise(specs(&config).clone(), &stream, &device);
        let optimizer = Optimizer::new(ADAMW, &params);
        Ok(Self { config, precision, device, params, optimizer, steps_done: 0, loss: f64::NAN })
    }

    /// One update on `batch`; seconds it took.
    pub(super) fn step(&mut self, batch: &TokenBatch) -> f64 {
        let dropout = Seeds::new(0).stream("dropout");
        let first = self.steps_done;
        let ((), seconds) = timed::<B, _>(&self.device.clone(), || {
            let mode = |slice| Mode::training(self.precision, dropout, first + slice);
            let slices = std::slice::from_ref(batch);
            let labels = batch.num_labels() as f64;
            let (loss, gradients) =
                accumulate(&self.config, &self.params, slices, labels, mode, &self.device);
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
    use burn::backend::flex::FlexDevice;
    use genesis_kernels::Cpu;
    use genesis_model::ParamSpec;

    use super::*;

    fn small(causal: bool) -> TransformerCase {
        TransformerCase {
            network: Network::Llama,
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
            let fields = small(causal).measure::<Cpu>(&FlexDevice).unwrap();
            // Two tables, four projections, three of 96 wide SwiGLU, three norms.
            let want = 2 * 11 * 32 + 4 * 32 * 32 + 3 * 32 * 96 + 3 * 32;
            assert_eq!(fields["params"], want, "{fields:?}");
            let loss = fields["loss"].as_f64().unwrap();
            assert!((loss - 11f64.ln()).abs() < 0.5, "random tokens cannot be predicted: {loss}");
        }
    }

    #[test]
    fn gpt2_has_the_parameters_of_the_published_one() {
        let case = TransformerCase::gpt2_124m(1, Repeats { warmup: 0, steps: 1 });
        let config = case.config();
        config.validate().unwrap();
        let count: usize = specs(&config).iter().map(ParamSpec::num_elements).sum();
        // `sum(p.numel() for p in GPT2LMHeadModel(GPT2Config()).parameters())` of transformers.
        assert_eq!(count, 124_439_808);
        let tiny = TransformerCase { network: Network::Gpt2, ..small(true) };
        let fields = tiny.measure::<Cpu>(&FlexDevice).unwrap();
        assert!(fields["tokens_per_s"].as_f64().unwrap() > 0.0);
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
