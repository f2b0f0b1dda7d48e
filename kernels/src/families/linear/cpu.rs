//! The linear map and its gradients on the CPU: one blocked product each.
//!
//! The weight is packed anew in every call. That is one copy of it against as many multiply-adds
//! per number as there are tokens, so keeping packed weights would save little and cost memory.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::WeightLayout;
use crate::Precision;
use crate::cpu::matmul::{Finish, Form, Matrix, Mixed, Plainly, Target, product};
use crate::cpu::{Element, filled, input, is_f64};

/// The weight as the matrix `[I, O]` that multiplies token rows.
fn inputs_by_outputs<T>(weight: &[T], dims: [usize; 2], layout: WeightLayout) -> Matrix<'_, T> {
    let weight = Matrix::new(weight, dims);
    match layout {
        WeightLayout::OutIn => weight.transposed(),
        WeightLayout::InOut => weight,
    }
}

/// [`linear`](fn@crate::families::linear::linear).
pub(crate) fn forward(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    bias: Option<Tensor<Flex, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Flex, 2> {
    Call { x, weight, bias, residual: None, layout }.run(precision)
}

/// [`linear_residual`](fn@crate::families::linear::linear_residual).
pub(crate) fn residual(
    residual: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    bias: Option<Tensor<Flex, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Flex, 2> {
    Call { x, weight, bias, residual: Some(residual), layout }.run(precision)
}

/// A linear map, perhaps with what it is added to.
struct Call {
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    bias: Option<Tensor<Flex, 1>>,
    residual: Option<Tensor<Flex, 2>>,
    layout: WeightLayout,
}

impl Call {
    fn run(self, precision: Precision) -> Tensor<Flex, 2> {
        let bias = self.bias.as_ref();
        let mut dtypes = vec![self.x.dtype(), self.weight.dtype()];
        dtypes.extend(bias.map(Tensor::dtype));
        if let Some(residual) = &self.residual {
            dtypes.push(residual.dtype());
        }
        match (is_f64("linear", &dtypes), precision) {
            (false, Precision::Full) => self.run_as::<Plainly<f32>>(),
            (false, Precision::Bf16Mixed) => self.run_as::<Mixed<f32>>(),
            (true, Precision::Full) => self.run_as::<Plainly<f64>>(),
            (true, Precision::Bf16Mixed) => self.run_as::<Mixed<f64>>(),
        }
    }

    fn run_as<F: Form>(self) -> Tensor<Flex, 2> {
        let (x_dims, weight_dims) = (self.x.dims(), self.weight.dims());
        let (_, outputs) = self.layout.inputs_outputs(weight_dims);
        let shape = [x_dims[0], outputs];
        let (x, weight) = (input(self.x), input(self.weight));
        let (bias, residual) = (self.bias.map(input), self.residual.map(input));
        let left = Matrix::new(F::Number::view(&x), x_dims);
        let right = inputs_by_outputs(F::Number::view(&weight), weight_dims, self.layout);
        let finish = Finish {
            add: false,
            bias: bias.as_ref().map(F::Number::view),
            residual: residual.as_ref().map(|of| Matrix::new(F::Number::view(of), shape)),
        };
        multiplied::<F>(left, right, shape, finish)
    }
}

/// [`linear_input_backward`](fn@crate::families::linear::linear_input_backward).
pub(crate) fn input_backward(
    grad: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Flex, 2> {
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
    multiplied::<F>(left, right, [grad_dims[0], inputs], Finish::OVERWRITE)
}

/// [`linear_weight_backward`](fn@crate::families::linear::linear_weight_backward).
pub(crate) fn weight_backward(
    grad: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Flex, 2> {
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
    let (left, right) = match layout {
        WeightLayout::OutIn => (grad.transposed(), x),
        WeightLayout::InOut => (x.transposed(), grad),
    };
    let shape = [left.rows(), right.columns()];
    multiplied::<F>(left, right, shape, Finish::OVERWRITE)
}

/// A new tensor that holds `left right`, finished.
fn multiplied<F: Form>(
    left: Matrix<'_, F::Number>,
    right: Matrix<'_, F::Number>,
    shape: [usize; 2],
    finish: Finish<'_, F::Number>,
) -> Tensor<Flex, 2> {
    // SAFETY: a product that does not add writes every number of its target.
    unsafe {
        filled(shape, |room| {
            let mut target = Target::uninit(room, shape, shape[1]);
            product::<F>(left, right, &mut target, finish);
        })
    }
}
