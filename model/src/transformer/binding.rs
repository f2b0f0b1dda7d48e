//! Which form of each shared layer a transformer has, bound to its parameters.

use genesis_kernels::{GeluKind, Kernels, WeightLayout};

use super::{
    Activation, Family, TransformerConfig,
    specs::{Names, Part},
};
use crate::{
    layers::{
        attention::{Attention, Projections},
        feed_forward::{FeedForward, Nonlinearity},
        linear::Linear,
        norm::Norm,
    },
    params::Params,
};

impl TransformerConfig {
    pub(super) fn linear<B: Kernels>(&self, params: &Params<B>, module: &str) -> Linear<B> {
        let layout = match self.family {
            Family::Gpt2 => WeightLayout::InOut,
            Family::Llama | Family::Esm2 => WeightLayout::OutIn,
        };
        Linear::bind(params, module, layout)
    }

    pub(super) fn norm<B: Kernels>(&self, params: &Params<B>, module: &str) -> Norm<B> {
        match self.family {
            Family::Llama => Norm::rms(params, module, self.norm_epsilon),
            Family::Gpt2 | Family::Esm2 => Norm::layer(params, module, self.norm_epsilon),
        }
    }

    pub(super) fn attention<B: Kernels>(&self, params: &Params<B>, layer: usize) -> Attention<B> {
        let linear = |part| self.linear(params, &Names::layer(self.family, layer, part));
        Attention {
            projections: match self.family {
                Family::Gpt2 => Projections::Joint(linear(Part::QueryKeyValue)),
                Family::Llama | Family::Esm2 => Projections::Separate {
                    query: linear(Part::Query),
                    key: linear(Part::Key),
                    value: linear(Part::Value),
                },
            },
            output: linear(Part::AttentionOutput),
            num_heads: self.num_heads,
            num_key_heads: self.num_key_heads,
            head_width: self.head_width,
        }
    }

    pub(super) fn feed_forward<B: Kernels>(
        &self,
        params: &Params<B>,
        layer: usize,
    ) -> FeedForward<B> {
        let linear = |part| self.linear(params, &Names::layer(self.family, layer, part));
        let nonlinearity = match self.activation {
            Activation::Gelu => Nonlinearity::Gelu(GeluKind::Erf),
            Activation::GeluNew | Activation::GeluPytorchTanh => Nonlinearity::Gelu(GeluKind::Tanh),
            Activation::Swiglu => Nonlinearity::Swiglu(linear(Part::Gate)),
        };
        FeedForward { nonlinearity, up: linear(Part::Up), down: linear(Part::Down) }
    }
}
