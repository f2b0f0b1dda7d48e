//! Both forms of GELU on GPUs, one launch each way.

use std::sync::LazyLock;

use burn::tensor::Tensor;

use super::GeluKind;
use super::formula::{Erf, ErfBackward, Tanh, TanhBackward};
use crate::machine::Gpu;
use crate::machine::elementwise::Elementwise;

static ERF: LazyLock<Elementwise<1, 1>> = LazyLock::new(Elementwise::of::<Erf>);
static ERF_BACKWARD: LazyLock<Elementwise<2, 1>> = LazyLock::new(Elementwise::of::<ErfBackward>);
static TANH: LazyLock<Elementwise<1, 1>> = LazyLock::new(Elementwise::of::<Tanh>);
static TANH_BACKWARD: LazyLock<Elementwise<2, 1>> = LazyLock::new(Elementwise::of::<TanhBackward>);

/// The value and the gradient of a form.
fn kernels(kind: GeluKind) -> (&'static Elementwise<1, 1>, &'static Elementwise<2, 1>) {
    match kind {
        GeluKind::Erf => (&ERF, &ERF_BACKWARD),
        GeluKind::Tanh => (&TANH, &TANH_BACKWARD),
    }
}

/// Elementwise value.
pub(crate) fn forward<B: Gpu>(x: Tensor<B, 2>, kind: GeluKind) -> Tensor<B, 2> {
    let [y] = kernels(kind).0.run([x]);
    y
}

/// Gradient of x.
pub(crate) fn backward<B: Gpu>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    kind: GeluKind,
) -> Tensor<B, 2> {
    let [dx] = kernels(kind).1.run([grad, x]);
    dx
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    [ERF.shader(), TANH.shader(), ERF_BACKWARD.shader(), TANH_BACKWARD.shader()].to_vec()
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
