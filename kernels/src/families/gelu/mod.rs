//! Gaussian error linear unit.
//!
//! ```text
//! maths     Erf   y = x/2 (1 + erf(x / sqrt 2))
//!                 dy/dx = (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi)
//!           Tanh  y = x/2 (1 + tanh u),  u = sqrt(2 / pi) (x + 0.044715 x^3)
//!                 dy/dx = (1 + t) / 2 + x/2 (1 - t^2) sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
//! layout    any rows, [N, C]
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415
//! ```

pub(crate) mod cases;
pub(crate) mod cpu;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod formula;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

/// Which of the two published forms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GeluKind {
    /// The approximation with the hyperbolic tangent (`gelu_new`, GPT-2).
    Tanh,
    /// The exact form with the error function (ESM-2).
    Erf,
}

/// Coefficient of the cube in the tanh form; section 2 of the source.
pub const CUBE: f64 = 0.044_715;

/// `sqrt(2 / pi)`.
const ROOT_TWO_OVER_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;

kernels! {
    pub trait GeluKernels: Backend {
        fn gelu(x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
            reference::forward(x, kind)
        }
        fn gelu_backward(
            grad: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            kind: GeluKind,
        ) -> Tensor<Self, 2> {
            reference::backward(grad, x, kind)
        }
    }
    cpu {
        gelu: cpu::forward,
        gelu_backward: cpu::backward,
    }
    gpu {
        gelu: gpu::forward,
        gelu_backward: gpu::backward,
    }
    autodiff {
        gelu: op::tracked,
    }
}

/// Elementwise on `[N, C]`.
pub fn gelu<B: GeluKernels>(x: Tensor<B, 2>, kind: GeluKind) -> Tensor<B, 2> {
    <B as GeluKernels>::gelu(CHECKED, x, kind)
}

/// Gradient of `x`.
pub fn gelu_backward<B: GeluKernels>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    kind: GeluKind,
) -> Tensor<B, 2> {
    assert_shape("gelu_backward", "grad", grad.dims(), x.dims(), "`x` has that shape");
    <B as GeluKernels>::gelu_backward(CHECKED, grad, x, kind)
}
