//! Linear maps of token rows.
//!
//! ```text
//! maths     y[n, o] = sum_i x[n, i] W[o, i] + b[o] (+ r[n, o])
//!           dx = g W,  dW = g^T x,  db[o] = sum_n g[n, o],  dr = g
//! layout    x [N, I], g, r and y [N, O]; W [O, I] (OutIn) or its transpose [I, O] (InOut)
//! dtypes    f32 or f64; Bf16Mixed rounds the operands of the products, not the bias
//! ordering  as deterministic as the matrix product of the backend; on the CPU for any number of
//!           threads
//! source    W as torch.nn.Linear stores it (OutIn) or as GPT-2's Conv1D does (InOut)
//! ```
//!
//! The two gradients are separate methods so that a frozen weight, or an input that needs no
//! gradient, costs nothing.

pub(crate) mod cases;
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix, feature = "wgpu")))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(feature = "cuda")]
mod tensors;
#[cfg(test)]
mod tests;

use burn::tensor::Tensor;

use crate::dispatch::{CHECKED, kernels};
use crate::families::precision::Precision;
use crate::families::precision::PrecisionKernels;
use crate::shape::assert_shape;

/// Which axis of a stored weight is the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WeightLayout {
    /// `[O, I]`, as `torch.nn.Linear`.
    OutIn,
    /// `[I, O]`, as GPT-2's `Conv1D`.
    InOut,
}

impl WeightLayout {
    /// `(inputs, outputs)` of a weight stored with these dimensions.
    pub fn inputs_outputs(self, [rows, columns]: [usize; 2]) -> (usize, usize) {
        match self {
            Self::OutIn => (columns, rows),
            Self::InOut => (rows, columns),
        }
    }
}

/// Asserts the shapes of one call; returns `(N, I, O)`.
pub(crate) fn check(
    [tokens, width]: [usize; 2],
    weight: [usize; 2],
    bias: Option<[usize; 1]>,
    layout: WeightLayout,
) -> (usize, usize, usize) {
    let (inputs, outputs) = layout.inputs_outputs(weight);
    assert_shape("linear", "x", [tokens, width], [tokens, inputs], "`weight` fixes I");
    if let Some(bias) = bias {
        assert_shape("linear", "bias", bias, [outputs], "`weight` fixes O");
    }
    (tokens, inputs, outputs)
}

/// Asserts the shape of what the result `[N, O]` is added to.
pub(crate) fn check_residual(residual: [usize; 2], (tokens, _, outputs): (usize, usize, usize)) {
    let want = [tokens, outputs];
    assert_shape("linear_residual", "residual", residual, want, "`x` fixes N, `weight` fixes O");
}

kernels! {
    pub trait LinearKernels: PrecisionKernels {
        fn linear(
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            bias: Option<Tensor<Self, 1>>,
            layout: WeightLayout,
            precision: Precision,
        ) -> Tensor<Self, 2> {
            reference::forward(x, weight, bias, layout, precision)
        }
        fn linear_input_backward(
            grad: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            layout: WeightLayout,
            precision: Precision,
        ) -> Tensor<Self, 2> {
            reference::input_backward(grad, weight, layout, precision)
        }
        fn linear_residual(
            residual: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            weight: Tensor<Self, 2>,
            bias: Option<Tensor<Self, 1>>,
            layout: WeightLayout,
            precision: Precision,
        ) -> Tensor<Self, 2> {
            reference::residual(residual, x, weight, bias, layout, precision)
        }
        fn linear_weight_backward(
            grad: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
            layout: WeightLayout,
            precision: Precision,
        ) -> Tensor<Self, 2> {
            reference::weight_backward(grad, x, layout, precision)
        }
    }
    cpu {
        linear: cpu::forward,
        linear_input_backward: cpu::input_backward,
        linear_residual: cpu::residual,
        linear_weight_backward: cpu::weight_backward,
    }
    cuda {
        linear: tensors::forward,
        linear_input_backward: tensors::input_backward,
        linear_residual: tensors::residual,
        linear_weight_backward: tensors::weight_backward,
    }
    wgpu {}
    autodiff {
        linear: op::tracked,
        linear_residual: op::residual_tracked,
    }
}

/// `[N, I] -> [N, O]`.
pub fn linear<B: LinearKernels>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    check(x.dims(), weight.dims(), bias.as_ref().map(Tensor::dims), layout);
    <B as LinearKernels>::linear(CHECKED, x, weight, bias, layout, precision)
}

/// Gradient of the input alone.
pub fn linear_input_backward<B: LinearKernels>(
    grad: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    let ([tokens, _], (_, outputs)) = (grad.dims(), layout.inputs_outputs(weight.dims()));
    let name = "linear_input_backward";
    assert_shape(name, "grad", grad.dims(), [tokens, outputs], "`weight` fixes O");
    <B as LinearKernels>::linear_input_backward(CHECKED, grad, weight, layout, precision)
}

/// `residual [N, O]` plus a linear map.
pub fn linear_residual<B: LinearKernels>(
    residual: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    let of = check(x.dims(), weight.dims(), bias.as_ref().map(Tensor::dims), layout);
    check_residual(residual.dims(), of);
    <B as LinearKernels>::linear_residual(CHECKED, residual, x, weight, bias, layout, precision)
}

/// Gradient of the weight alone.
pub fn linear_weight_backward<B: LinearKernels>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    let ([tokens, _], [_, inputs]) = (grad.dims(), x.dims());
    assert_shape("linear_weight_backward", "x", x.dims(), [tokens, inputs], "`grad` fixes N");
    <B as LinearKernels>::linear_weight_backward(CHECKED, grad, x, layout, precision)
}
