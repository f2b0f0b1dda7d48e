//! The linear map and its gradients on the CPU: one blocked product each.
//!
//! The weight is packed anew in every call. That is one copy of it against as many multiply-adds
//! per number as there are tokens, so keeping packed weights would save little and cost memory.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::{WeightLayout, check};
use crate::Precision;
use crate::cpu::{Element, filled, input, is_f64};
use crate::matmul::{Finish, Form, Matrix, Mixed, Plainly, Target, product};
use crate::shape::assert_shape;

/// The weight as the matrix `[I, O]` that multiplies token rows.
fn inputs_by_outputs<T>(weight: &[T], dims: [usize; 2], layout: WeightLayout) -> Matrix<'_, T> {
    let weight = Matrix::new(weight, dims);
    match layout {
        WeightLayout::OutIn => weight.transposed(),
        WeightLayout::InOut => weight,
    }
}

/// [`Kernels::linear`](crate::Kernels::linear).
pub(crate) fn forward(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    bias: Option<Tensor<Flex, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Flex, 2> {
    check(x.dims(), weight.dims(), bias.as_ref().map(Tensor::dims), layout);
    let mut dtypes = vec![x.dtype(), weight.dtype()];
    dtypes.extend(bias.as_ref().map(Tensor::dtype));
    match (is_f64("linear", &dtypes), precision) {
        (false, Precision::Full) => forward_as::<Plainly<f32>>(x, weight, bias, layout),
        (false, Precision::Bf16Mixed) => forward_as::<Mixed<f32>>(x, weight, bias, layout),
        (true, Precision::Full) => forward_as::<Plainly<f64>>(x, weight, bias, layout),
        (true, Precision::Bf16Mixed) => forward_as::<Mixed<f64>>(x, weight, bias, layout),
    }
}

fn forward_as<F: Form>(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    bias: Option<Tensor<Flex, 1>>,
    layout: WeightLayout,
) -> Tensor<Flex, 2> {
    let (x_dims, weight_dims) = (x.dims(), weight.dims());
    let (_, outputs) = layout.inputs_outputs(weight_dims);
    let (x, weight, bias) = (input(x), input(weight), bias.map(input));
    let left = Matrix::new(F::Number::view(&x), x_dims);
    let right = inputs_by_outputs(F::Number::view(&weight), weight_dims, layout);
    let bias = bias.as_ref().map(F::Number::view);
    multiplied::<F>(left, right, [x_dims[0], outputs], bias)
}

/// [`Kernels::linear_input_backward`](crate::Kernels::linear_input_backward).
pub(crate) fn input_backward(
    grad: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Flex, 2> {
    let ([tokens, outputs], (_, expected)) = (grad.dims(), layout.inputs_outputs(weight.dims()));
    let because = "`weight` fixes O";
    assert_shape("linear", "grad", [tokens, outputs], [tokens, expected], because);
    match (is_f64("linear", &[grad.dtype(), weight.dtype()]), precision) {
        (false, Precision::Full) => input_as::<Plainly<f32>>(grad, weight, layout),
        (false, Precision::Bf16Mixed) => input_as::<Mixed<f32>>(grad, weight, layout),
        (true, Precision::Full) => input_as::<Plainly<f64>>(grad, weight, layout),
        (true, Precision::Bf16Mixed) => input_as::<Mixed<f64>>(grad, weight, layout),
    }
}

fn input_as<F: Form>(
    grad: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    layout: WeightLayout,
) -> Tensor<Flex, 2> {
    let (grad_dims, weight_dims) = (grad.dims(), weight.dims());
    let (inputs, _) = layout.inputs_outputs(weight_dims);
    let (grad, weight) = (input(grad), input(weight));
    let left = Matrix::new(F::Number::view(&grad), grad_dims);
    let right = inputs_by_outputs(F::Number::view(&weight), weight_dims, layout).transposed();
    multiplied::<F>(left, right, [grad_dims[0], inputs], None)
}

/// [`Kernels::linear_weight_backward`](crate::Kernels::linear_weight_backward).
pub(crate) fn weight_backward(
    grad: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Flex, 2> {
    assert_shape("linear", "grad", [grad.dims()[0]], [x.dims()[0]], "`x` fixes N");
    match (is_f64("linear", &[grad.dtype(), x.dtype()]), precision) {
        (false, Precision::Full) => weight_as::<Plainly<f32>>(grad, x, layout),
        (false, Precision::Bf16Mixed) => weight_as::<Mixed<f32>>(grad, x, layout),
        (true, Precision::Full) => weight_as::<Plainly<f64>>(grad, x, layout),
        (true, Precision::Bf16Mixed) => weight_as::<Mixed<f64>>(grad, x, layout),
    }
}

fn weight_as<F: Form>(
    grad: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    layout: WeightLayout,
) -> Tensor<Flex, 2> {
    let (grad_dims, x_dims) = (grad.dims(), x.dims());
    let (grad, x) = (input(grad), input(x));
    let grad = Matrix::new(F::Number::view(&grad), grad_dims);
    let x = Matrix::new(F::Number::view(&x), x_dims);
    match layout {
        WeightLayout::OutIn => {
            multiplied::<F>(grad.transposed(), x, [grad_dims[1], x_dims[1]], None)
        }
        WeightLayout::InOut => {
            multiplied::<F>(x.transposed(), grad, [x_dims[1], grad_dims[1]], None)
        }
    }
}

/// A new tensor that holds `left right + bias`.
fn multiplied<F: Form>(
    left: Matrix<'_, F::Number>,
    right: Matrix<'_, F::Number>,
    shape: [usize; 2],
    bias: Option<&[F::Number]>,
) -> Tensor<Flex, 2> {
    // SAFETY: a product that does not add writes every number of its target.
    unsafe {
        filled(shape, |room| {
            let mut target = Target::uninit(room, shape, shape[1]);
            product::<F>(left, right, &mut target, Finish { add: false, bias });
        })
    }
}
