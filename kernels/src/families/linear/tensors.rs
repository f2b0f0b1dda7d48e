//! Linear maps and their gradients on tensors of CUDA: they become arrays, and the results tensors.

use burn::tensor::Tensor;

use super::{WeightLayout, cuda};
use crate::machine::Tensors;
use crate::machine::cuda::device::on;
use crate::{Cuda, Precision};

/// [`linear`](fn@crate::families::linear::linear).
pub(crate) fn forward(
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let shape = shape(&x, &weight, layout, precision);
    mapped([x, weight], bias, None, shape)
}

/// [`linear_residual`](fn@crate::families::linear::linear_residual).
pub(crate) fn residual(
    residual: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let shape = shape(&x, &weight, layout, precision);
    if shape.inputs == 0 {
        // Nothing is summed, so no product adds the residual.
        return residual.add(mapped([x, weight], bias, None, shape));
    }
    mapped([x, weight], bias, Some(residual), shape)
}

fn shape(
    x: &Tensor<Cuda, 2>,
    weight: &Tensor<Cuda, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> cuda::Shape {
    let ([tokens, _], (inputs, outputs)) = (x.dims(), layout.inputs_outputs(weight.dims()));
    cuda::Shape { tokens, inputs, outputs, layout, precision }
}

fn mapped(
    [x, weight]: [Tensor<Cuda, 2>; 2],
    bias: Option<Tensor<Cuda, 1>>,
    residual: Option<Tensor<Cuda, 2>>,
    shape: cuda::Shape,
) -> Tensor<Cuda, 2> {
    on(&x.device(), |machine| {
        let (x, weight) = (machine.input(x), machine.input(weight));
        let bias = bias.map(|bias| machine.input(bias));
        let residual = residual.map(|residual| machine.input(residual));
        let (bias, residual) = (bias.as_ref(), residual.as_ref());
        let y = cuda::forward(machine, [&x, &weight], bias, residual, shape);
        machine.tensor(y, [shape.tokens, shape.outputs])
    })
}

/// [`linear_input_backward`](fn@crate::families::linear::linear_input_backward).
pub(crate) fn input_backward(
    grad: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let ([tokens, _], (inputs, outputs)) = (grad.dims(), layout.inputs_outputs(weight.dims()));
    let shape = cuda::Shape { tokens, inputs, outputs, layout, precision };
    on(&grad.device(), |machine| {
        let (grad, weight) = (machine.input(grad), machine.input(weight));
        let dx = cuda::input_backward(machine, &grad, &weight, shape);
        machine.tensor(dx, [tokens, inputs])
    })
}

/// [`linear_weight_backward`](fn@crate::families::linear::linear_weight_backward).
pub(crate) fn weight_backward(
    grad: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let ([tokens, outputs], [_, inputs]) = (grad.dims(), x.dims());
    let shape = cuda::Shape { tokens, inputs, outputs, layout, precision };
    let stored = match layout {
        WeightLayout::OutIn => [outputs, inputs],
        WeightLayout::InOut => [inputs, outputs],
    };
    on(&grad.device(), |machine| {
        let (grad, x) = (machine.input(grad), machine.input(x));
        let dweight = cuda::weight_backward(machine, &grad, &x, shape);
        machine.tensor(dweight, stored)
    })
}
