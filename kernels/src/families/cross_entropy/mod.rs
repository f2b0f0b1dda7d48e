//! The last linear map fused with its cross entropy, so that logits of all tokens never exist.
//!
//! ```text
//! maths     z[n, v] = sum_c h[n, c] W[v, c] + b[v]
//!           lse[n] = log sum_v exp z[n, v]
//!           loss = sum over labelled n of lse[n] - z[n, label[n]]           (nats)
//!           dz[n, v] = exp(z[n, v] - lse[n]) - [v = label[n]]
//!           dh = dz W,  dW = dz^T h,  db = sum_n dz
//! layout    h [N, C], W [V, C], b [V], labels [N] (i32, -100 = no label), loss [1], lse [N]
//! dtypes    f32 or f64; Bf16Mixed rounds h, W and dz before each product
//! memory    a chunk of logits at a time, at most 64 MiB in f32 or 64 rows; on CUDA 512 MiB
//! checks    a label outside 0..V is an assertion that names it; on CUDA it makes the loss NaN, since
//!           naming it would make the host wait for the device
//! ordering  deterministic: chunks in token order
//! ```
//!
//! Rows without a label are skipped: their log-sum-exp and gradient are zero, whatever they hold.
//! With no label at all the loss is zero, and so is every gradient. The log-sum-exp is a by-product;
//! no gradient flows from it. Gradients are made with the loss, while its logits are at hand, so
//! inside a graph the backward only multiplies them.

pub(crate) mod cases;
mod chunks;
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix, feature = "wgpu")))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod softmax;
#[cfg(feature = "cuda")]
mod tensors;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use crate::dispatch::{CHECKED, kernels};
use crate::families::precision::Precision;
use crate::families::precision::PrecisionKernels;
use crate::shape::assert_shape;

/// Label of a token that does not count.
pub const IGNORED_LABEL: i64 = -100;

/// Logits of a chunk, in elements: 64 MiB in f32.
const MAX_LOGITS: usize = 1 << 24;
/// Fewer rows than this would read the weight too often.
const MIN_ROWS: usize = 64;

/// Loss, log-sum-exp, and the gradients of the loss.
#[derive(Clone, Debug)]
pub struct LossAndGradients<B: Backend> {
    /// `[1]`
    pub loss: Tensor<B, 1>,
    /// `[N]`
    pub log_sum_exp: Tensor<B, 1>,
    /// `[N, C]`
    pub hidden: Tensor<B, 2>,
    /// `[V, C]`
    pub weight: Tensor<B, 2>,
    /// `[V]`
    pub bias: Option<Tensor<B, 1>>,
}

#[cfg(all(test, feature = "wgpu"))]
pub(crate) use wgpu::shaders;

kernels! {
    pub trait CrossEntropyKernels: PrecisionKernels {
        fn linear_cross_entropy(
            hidden: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            bias: Option<Tensor<Self, 1>>,
            labels: Tensor<Self, 1, Int>,
            precision: Precision,
        ) -> (Tensor<Self, 1>, Tensor<Self, 1>) {
            reference::forward(hidden, weight, bias, &labels, precision)
        }
        fn linear_cross_entropy_gradients(
            hidden: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            bias: Option<Tensor<Self, 1>>,
            labels: Tensor<Self, 1, Int>,
            precision: Precision,
        ) -> LossAndGradients<Self> {
            reference::with_gradients(hidden, weight, bias, &labels, precision)
        }
        fn scale_by<const D: usize>(
            x: Tensor<Self, D>,
            factor: Tensor<Self, 1>,
        ) -> Tensor<Self, D> {
            x.mul(factor.unsqueeze())
        }
    }
    cpu {
        linear_cross_entropy: |hidden, weight, bias, labels, precision| {
            let inputs = cpu::Inputs { hidden, weight, bias, labels, precision };
            cpu::forward(inputs)
        },
        linear_cross_entropy_gradients: |hidden, weight, bias, labels, precision| {
            let inputs = cpu::Inputs { hidden, weight, bias, labels, precision };
            cpu::with_gradients(inputs)
        },
        scale_by: cpu::scale_by,
    }
    cuda {
        linear_cross_entropy: tensors::forward,
        linear_cross_entropy_gradients: tensors::with_gradients,
    }
    wgpu {
        linear_cross_entropy: |hidden, weight, bias, labels, precision| {
            let inputs = wgpu::Inputs { hidden, weight, bias, labels, precision };
            wgpu::forward(inputs)
        },
        linear_cross_entropy_gradients: |hidden, weight, bias, labels, precision| {
            let inputs = wgpu::Inputs { hidden, weight, bias, labels, precision };
            wgpu::with_gradients(inputs)
        },
    }
    autodiff {
        linear_cross_entropy: op::tracked,
    }
}

/// `hidden [N, C]`, `weight [V, C]`, `bias [V]`, `labels [N]` to `(loss_sum [1] in nats,
/// log_sum_exp [N])`. The second carries no gradient.
pub fn linear_cross_entropy<B: CrossEntropyKernels>(
    hidden: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    labels: Tensor<B, 1, Int>,
    precision: Precision,
) -> (Tensor<B, 1>, Tensor<B, 1>) {
    check("linear_cross_entropy", &hidden, &weight, bias.as_ref(), &labels);
    <B as CrossEntropyKernels>::linear_cross_entropy(
        CHECKED, hidden, weight, bias, labels, precision,
    )
}

/// The same with the gradients of the loss.
pub fn linear_cross_entropy_gradients<B: CrossEntropyKernels>(
    hidden: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    labels: Tensor<B, 1, Int>,
    precision: Precision,
) -> LossAndGradients<B> {
    check("linear_cross_entropy_gradients", &hidden, &weight, bias.as_ref(), &labels);
    <B as CrossEntropyKernels>::linear_cross_entropy_gradients(
        CHECKED, hidden, weight, bias, labels, precision,
    )
}

/// `x factor`, with one number `factor [1]` that stays where it is.
pub fn scale_by<B: CrossEntropyKernels, const D: usize>(
    x: Tensor<B, D>,
    factor: Tensor<B, 1>,
) -> Tensor<B, D> {
    assert_shape("scale_by", "factor", factor.dims(), [1], "it is one number");
    <B as CrossEntropyKernels>::scale_by(CHECKED, x, factor)
}

/// Asserts the shapes of a call.
fn check<B: Backend>(
    operation: &str,
    hidden: &Tensor<B, 2>,
    weight: &Tensor<B, 2>,
    bias: Option<&Tensor<B, 1>>,
    labels: &Tensor<B, 1, Int>,
) {
    let ([tokens, width], [vocabulary, _]) = (hidden.dims(), weight.dims());
    assert_shape(operation, "weight", weight.dims(), [vocabulary, width], "`hidden` fixes C");
    if let Some(bias) = bias {
        assert_shape(operation, "bias", bias.dims(), [vocabulary], "`weight` fixes V");
    }
    assert_shape(operation, "labels", labels.dims(), [tokens], "`hidden` fixes N");
}
