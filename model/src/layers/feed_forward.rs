//! The position-wise branch: GELU between two projections, or `SwiGLU` between three.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{GeluKind, Kernels, gelu, swiglu};

use super::{exit::Exit, linear::Linear, mode::Mode};

/// What is between the projections.
#[derive(Debug, Clone)]
pub(crate) enum Nonlinearity<B: Backend> {
    Gelu(GeluKind),
    /// Carries the gate's projection.
    Swiglu(Linear<B>),
}

/// `down(gelu(up(x)))` or `down(silu(gate(x)) * up(x))`.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward<B: Backend> {
    pub(crate) nonlinearity: Nonlinearity<B>,
    pub(crate) up: Linear<B>,
    pub(crate) down: Linear<B>,
}

impl<B: Kernels> FeedForward<B> {
    /// `[N, C]` to `[N, C]`, with the stream that `exit` adds to.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, exit: Exit<B>, mode: &Mode) -> Tensor<B, 2> {
        let precision = mode.precision;
        let up = self.up.forward(x.clone(), precision);
        let inner = match &self.nonlinearity {
            Nonlinearity::Gelu(kind) => gelu::gelu(up, *kind),
            Nonlinearity::Swiglu(gate) => swiglu::swiglu(gate.forward(x, precision), up),
        };
        exit.through(&self.down, inner, mode)
    }
}
