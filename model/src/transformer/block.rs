//! One pre-norm block: attention, then feed-forward, each added to the residual stream.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::Kernels;

use super::{
    TransformerConfig,
    specs::{Names, Part},
};
use crate::{
    layers::{
        attention::{Attention, Pass, Past},
        exit::Exit,
        feed_forward::FeedForward,
        mode::Site,
        norm::Norm,
    },
    params::Params,
};

/// `x += attention(norm(x)); x += feed_forward(norm(x))`.
#[derive(Debug, Clone)]
pub(crate) struct Block<B: Backend> {
    attention_norm: Norm<B>,
    attention: Attention<B>,
    feed_forward_norm: Norm<B>,
    feed_forward: FeedForward<B>,
    dropout: f64,
    layer: usize,
}

impl<B: Kernels> Block<B> {
    pub(crate) fn bind(config: &TransformerConfig, params: &Params<B>, layer: usize) -> Self {
        let norm = |part| config.norm(params, &Names::layer(config.family, layer, part));
        Self {
            attention_norm: norm(Part::AttentionNorm),
            attention: config.attention(params, layer),
            feed_forward_norm: norm(Part::FeedForwardNorm),
            feed_forward: config.feed_forward(params, layer),
            dropout: config.dropout,
            layer,
        }
    }

    /// `[N, C]` to `[N, C]`; `past` as in [`Attention::forward`].
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 2>,
        pass: &Pass<B>,
        past: Option<&mut Past<B>>,
    ) -> Tensor<B, 2> {
        let (layer, rate) = (self.layer, self.dropout);
        let normed = self.attention_norm.forward(x.clone());
        let exit = Exit { stream: x, rate, site: Site::Attention { layer } };
        let x = self.attention.forward(normed, exit, pass, past);
        let normed = self.feed_forward_norm.forward(x.clone());
        let exit = Exit { stream: x, rate, site: Site::FeedForward { layer } };
        self.feed_forward.forward(normed, exit, &pass.mode)
    }
}
