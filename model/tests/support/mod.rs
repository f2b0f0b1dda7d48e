//! What several test files share: tiny configurations, batches, and reading reference folders.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use burn::{
    backend::Autodiff,
    tensor::{Device, Tensor, backend::Backend},
};
use genesis_kernels::{Cpu, Precision};
use genesis_model::{Mode, ModelConfig, Packed, Params, Transformer, TransformerConfig, specs};
use genesis_schema::{IGNORE, Seeds, TokenBatch};

pub(crate) type Tracked = Autodiff<Cpu>;

pub(crate) const MODE: Mode = Mode { precision: Precision::Full, dropout: None };

pub(crate) const GPT2: &str =
    "kind = 'gpt2'\ncontext = 12\nnum_layers = 2\nnum_heads = 2\nwidth = 8\n";
pub(crate) const LLAMA: &str = "kind = 'llama'\ncontext = 12\nnum_layers = 2\nnum_heads = 4\n\
     num_key_heads = 2\nhead_width = 6\nwidth = 8\nfeed_forward_width = 12\nattention_bias = true\n\
     feed_forward_bias = true\n";
pub(crate) const ESM2: &str = "kind = 'esm2'\ncontext = 12\nnum_layers = 2\nnum_heads = 2\nwidth = 8\n\
     embedding_norm = true\nmask_token = 10\npad_token = 1\n";
pub(crate) const FAMILIES: [(&str, &str); 3] = [("gpt2", GPT2), ("llama", LLAMA), ("esm2", ESM2)];

pub(crate) fn device() -> Device<Cpu> {
    Device::<Cpu>::default()
}

pub(crate) fn config(table: &str) -> TransformerConfig {
    toml::from_str::<ModelConfig>(table).unwrap().resolve(11).unwrap()
}

/// Values large enough that every branch matters: norms and biases are random too.
pub(crate) fn params(config: &TransformerConfig) -> Params<Cpu> {
    let stream = Seeds::new(1).stream("test");
    let specs = specs(config);
    let mut host = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        let centre =
            if spec.name.contains("orm") && spec.name.ends_with("weight") { 1.0 } else { 0.0 };
        let value = |lane| (centre + 0.3 * stream.normal(index as u64, lane)) as f32;
        host.insert(spec.name.clone(), (0..spec.num_elements() as u64).map(value).collect());
    }
    Params::from_host(specs, &host, &device()).unwrap()
}

/// Segments of these tokens; causal labels are the next token, masked ones every third token.
pub(crate) fn batch(config: &TransformerConfig, segments: &[&[u32]]) -> TokenBatch {
    let mut batch = TokenBatch::default();
    for (document, tokens) in segments.iter().enumerate() {
        let label = |at: usize| {
            let next = tokens.get(at + 1).map_or(IGNORE, |&token| i64::from(token));
            match (config.causal(), at % 3) {
                (true, _) => next,
                (false, 1) => (i64::from(tokens[at]) + 3) % 11,
                (false, _) => IGNORE,
            }
        };
        let labels: Vec<i64> = (0..tokens.len()).map(label).collect();
        batch.push_segment(tokens, &labels, 0, document as u64);
    }
    batch
}

pub(crate) fn logits(
    config: &TransformerConfig,
    params: &Params<Cpu>,
    batch: &TokenBatch,
) -> Vec<f32> {
    let packed = Packed::upload(batch, &device());
    to_vec(Transformer::bind(config, params).logits(&packed, &MODE))
}

pub(crate) fn to_vec<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec().unwrap()
}

/// Loss sum and its gradients, in the order of the specs.
pub(crate) fn loss_and_gradients(
    config: &TransformerConfig,
    params: &Params<Cpu>,
    batch: &TokenBatch,
) -> (Tensor<Cpu, 1>, Vec<Tensor<Cpu, 1>>) {
    let tracked = params.track();
    let packed = Packed::<Tracked>::upload(batch, &device());
    let loss = Transformer::bind(config, &tracked).loss_sum(&packed, &MODE);
    let gradients = tracked.gradients(&mut loss.backward());
    (loss.inner(), gradients)
}

pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The folders of reference outputs: those of the shared folder, and any in `GENESIS_TRANSFORMER_ORACLES`.
#[expect(
    clippy::disallowed_methods,
    reason = "where reference data lies is the test's own business"
)]
pub(crate) fn oracle_root() -> Option<PathBuf> {
    let shared = std::env::var("GENESIS_SHARED")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let root = std::env::var("GENESIS_TRANSFORMER_ORACLES")
        .map_or_else(|_| shared.join("oracles/transformer"), PathBuf::from);
    root.is_dir().then_some(root)
}
