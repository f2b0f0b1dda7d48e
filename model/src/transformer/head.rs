//! From hidden states to logits and loss; ESM-2 has one more projection on the way.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{
    GeluKind, Kernels, Precision, WeightLayout, cross_entropy, embedding, gelu, linear,
};

use super::{Family, TransformerConfig, packed::Targets, specs::Names};
use crate::{
    layers::{linear::Linear, norm::Norm},
    params::Params,
};

/// `logits = f(hidden) W^T + b`; `f` is the identity, or `norm(gelu(dense(x)))` in ESM-2.
#[derive(Debug, Clone)]
pub(crate) struct Head<B: Backend> {
    transform: Option<(Linear<B>, Norm<B>)>,
    /// `[V, C]`: the embedding itself when tied.
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
}

impl<B: Kernels> Head<B> {
    pub(crate) fn bind(
        config: &TransformerConfig,
        params: &Params<B>,
        embedding: &Tensor<B, 2>,
    ) -> Self {
        let masked = config.family == Family::Esm2;
        let decoder = Names::decoder(config.family);
        Self {
            transform: masked.then(|| {
                (config.linear(params, Names::HEAD_DENSE), config.norm(params, Names::HEAD_NORM))
            }),
            weight: if config.tied_head {
                embedding.clone()
            } else {
                params.get(&format!("{decoder}.weight"))
            },
            bias: masked.then(|| params.get(&format!("{}.bias", Names::LOGIT_BIAS))),
        }
    }

    /// `[N, C]` to `[N, V]`.
    pub(crate) fn logits(&self, hidden: Tensor<B, 2>, precision: Precision) -> Tensor<B, 2> {
        let features = self.features(hidden, precision);
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        linear::linear(features, weight, bias, WeightLayout::OutIn, precision)
    }

    /// `[1]`: sum of nats over the labelled tokens.
    pub(crate) fn loss_sum(
        &self,
        hidden: Tensor<B, 2>,
        targets: &Targets<B>,
        precision: Precision,
    ) -> Tensor<B, 1> {
        let hidden = match &targets.rows {
            // A gather of rows is an embedding lookup, with the same deterministic backward.
            Some(rows) => embedding::embedding(hidden, rows.clone()),
            None => hidden,
        };
        let features = self.features(hidden, precision);
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        let labels = targets.labels.clone();
        cross_entropy::linear_cross_entropy(features, weight, bias, labels, precision).0
    }

    fn features(&self, hidden: Tensor<B, 2>, precision: Precision) -> Tensor<B, 2> {
        match &self.transform {
            Some((dense, norm)) => {
                norm.forward(gelu::gelu(dense.forward(hidden, precision), GeluKind::Erf))
            }
            None => hidden,
        }
    }
}
