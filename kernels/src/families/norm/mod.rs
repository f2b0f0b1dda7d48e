//! Normalisation of each token's features.
//!
//! ```text
//! maths     rms_norm    y = w x r,            r = 1 / sqrt(mean(x^2) + eps)
//!           layer_norm  y = w (x - m) r + b,  m = mean(x), r = 1 / sqrt(mean((x - m)^2) + eps)
//!           with h = normalised x and t = w g:
//!           rms_norm    dx = r (t - h mean(t h)),            dw = sum_n g h
//!           layer_norm  dx = r (t - mean(t) - h mean(t h)),  dw = sum_n g h, db = sum_n g
//! layout    x, y, g [N, C]; w, b [C]; means run over C
//! dtypes    f32 or f64, everything in the dtype of x
//! ordering  deterministic; nothing but the inputs is saved for the backward
//! source    Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467;
//!           Ba, Kiros and Hinton, "Layer Normalization", arXiv:1607.06450
//! ```

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
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

kernels! {
    pub trait NormKernels: Backend {
        fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
            reference::rms_norm(x, weight, epsilon)
        }
        fn rms_norm_backward(
            grad: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 1>,
            epsilon: f64,
        ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
            reference::rms_norm_backward(grad, x, weight, epsilon)
        }
        fn layer_norm(
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 1>,
            bias: Tensor<Self, 1>,
            epsilon: f64,
        ) -> Tensor<Self, 2> {
            reference::layer_norm(x, weight, bias, epsilon)
        }
        fn layer_norm_backward(
            grad: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 1>,
            epsilon: f64,
        ) -> (Tensor<Self, 2>, Tensor<Self, 1>, Tensor<Self, 1>) {
            reference::layer_norm_backward(grad, x, weight, epsilon)
        }
    }
    cpu {
        rms_norm: cpu::rms_norm,
        rms_norm_backward: cpu::rms_norm_backward,
        layer_norm: cpu::layer_norm,
        layer_norm_backward: cpu::layer_norm_backward,
    }
    gpu {
        rms_norm: gpu::rms_norm,
        rms_norm_backward: gpu::rms_norm_backward,
        layer_norm: gpu::layer_norm,
        layer_norm_backward: gpu::layer_norm_backward,
    }
    autodiff {
        rms_norm: op::rms_norm_tracked,
        layer_norm: op::layer_norm_tracked,
    }
}

/// `[N, C] -> [N, C]`.
pub fn rms_norm<B: NormKernels>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, 2> {
    check_parameter("rms_norm", "weight", &weight, &x);
    <B as NormKernels>::rms_norm(CHECKED, x, weight, epsilon)
}

/// Gradients of `x` and `weight`.
pub fn rms_norm_backward<B: NormKernels>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 2>, Tensor<B, 1>) {
    assert_shape("rms_norm_backward", "grad", grad.dims(), x.dims(), "as `x`");
    check_parameter("rms_norm_backward", "weight", &weight, &x);
    <B as NormKernels>::rms_norm_backward(CHECKED, grad, x, weight, epsilon)
}

/// `[N, C] -> [N, C]`.
pub fn layer_norm<B: NormKernels>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, 2> {
    check_parameter("layer_norm", "weight", &weight, &x);
    check_parameter("layer_norm", "bias", &bias, &x);
    <B as NormKernels>::layer_norm(CHECKED, x, weight, bias, epsilon)
}

/// Gradients of `x`, `weight` and `bias`.
pub fn layer_norm_backward<B: NormKernels>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 2>, Tensor<B, 1>, Tensor<B, 1>) {
    assert_shape("layer_norm_backward", "grad", grad.dims(), x.dims(), "as `x`");
    check_parameter("layer_norm_backward", "weight", &weight, &x);
    <B as NormKernels>::layer_norm_backward(CHECKED, grad, x, weight, epsilon)
}

/// Asserts that a parameter has a number per feature.
fn check_parameter<B: Backend>(
    operation: &str,
    name: &str,
    parameter: &Tensor<B, 1>,
    x: &Tensor<B, 2>,
) {
    assert_shape(operation, name, parameter.dims(), [x.dims()[1]], "`x` fixes C");
}
