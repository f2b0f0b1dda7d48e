//! SiLU and its derivatives on GPUs, one launch each.

use std::sync::LazyLock;

use burn::tensor::Tensor;

use super::formula::{Bend, Silu, Slope};
use crate::machine::Gpu;
use crate::machine::elementwise::Elementwise;

static SILU: LazyLock<Elementwise<1, 1>> = LazyLock::new(Elementwise::of::<Silu>);
static SLOPE: LazyLock<Elementwise<2, 1>> = LazyLock::new(Elementwise::of::<Slope>);
static BEND: LazyLock<Elementwise<3, 1>> = LazyLock::new(Elementwise::of::<Bend>);

/// `x s(x)`.
pub(crate) fn forward<B: Gpu>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let [y] = SILU.run([x]);
    y
}

/// `y'(x) a`.
pub(crate) fn slope<B: Gpu>(along: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let [y] = SLOPE.run([along, x]);
    y
}

/// `y''(x) a b`.
pub(crate) fn bend<B: Gpu>(a: Tensor<B, 2>, b: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let [y] = BEND.run([a, b, x]);
    y
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    [SILU.shader(), SLOPE.shader(), BEND.shader()].to_vec()
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
