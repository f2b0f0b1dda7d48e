//! The position-wise branch: GELU between two projections, or `SwiGLU` between three.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{GeluKind, Kernels};

use super::{
    Activation, TransformerConfig,
    exit::Exit,
    linear::Linear,
    mode::Mode,
    specs::{Names, Part},
};
use crate::params::Params;

#[derive(Debug, Clone)]
enum Nonlinearity<B: Backend> {
    Gelu(GeluKind),
    /// Carries the gate's projection.
    Swiglu(Linear<B>),
}

/// `down(gelu(up(x)))` or `down(silu(gate(x)) * up(x))`.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward<B: Backend> {
    nonlinearity: Nonlinearity<B>,
    up: Linear<B>,
    down: Linear<B>,
}

impl<B: Kernels> FeedForward<B> {
    pub(crate) fn bind(config: &TransformerConfig, params: &Params<B>, layer: usize) -> Self {
        let linear = |part| Linear::bind(config, params, &Names::layer(config.family, layer, part));
        let nonlinearity = match config.activation {
            Activation::Gelu => Nonlinearity::Gelu(GeluKind::Erf),
            Activation::GeluNew | Activation::GeluPytorchTanh => Nonlinearity::Gelu(GeluKind::Tanh),
            Activation::Swiglu => Nonlinearity::Swiglu(linear(Part::Gate)),
        };
        Self { nonlinearity, up: linear(Part::Up), down: linear(Part::Down) }
    }

    /// `[N, C]` to `[N, C]`, with the stream that `exit` adds to.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, exit: Exit<B>, mode: &Mode) -> Tensor<B, 2> {
        let precision = mode.precision;
        let up = self.up.forward(x.clone(), precision);
        let inner = match &self.nonlinearity {
            Nonlinearity::Gelu(kind) => <B as Kernels>::gelu(up, *kind),
            Nonlinearity::Swiglu(gate) => <B as Kernels>::swiglu(gate.forward(x, precision), up),
        };
        exit.through(&self.down, inner, mode)
    }
}
