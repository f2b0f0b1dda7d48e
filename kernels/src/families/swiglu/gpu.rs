//! The gated activation on GPUs, one launch each way.

use std::sync::LazyLock;

use burn::tensor::Tensor;

use super::formula::{Backward, Swiglu};
use crate::machine::Gpu;
use crate::machine::elementwise::Elementwise;

static SWIGLU: LazyLock<Elementwise<2, 1>> = LazyLock::new(Elementwise::of::<Swiglu>);
static BACKWARD: LazyLock<Elementwise<3, 2>> = LazyLock::new(Elementwise::of::<Backward>);

/// `silu(gate) up`.
pub(crate) fn forward<B: Gpu>(gate: Tensor<B, 2>, up: Tensor<B, 2>) -> Tensor<B, 2> {
    let [y] = SWIGLU.run([gate, up]);
    y
}

/// Gradients of gate and up.
pub(crate) fn backward<B: Gpu>(
    grad: Tensor<B, 2>,
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let [gate, up] = BACKWARD.run([grad, gate, up]);
    (gate, up)
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    [SWIGLU.shader(), BACKWARD.shader()].to_vec()
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
