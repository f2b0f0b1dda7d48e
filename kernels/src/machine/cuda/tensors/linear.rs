//! Linear maps and their gradients.

use burn::tensor::Tensor;

use crate::families::linear::{self, WeightLayout};
use crate::machine::cuda::device::on;
use crate::shape::assert_shape;
use crate::{Cuda, Precision};

/// [`Kernels::linear`](crate::Kernels::linear).
pub(crate) fn forward(
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let of = linear::check(x.dims(), weight.dims(), bias.as_ref().map(Tensor::dims), layout);
    mapped([x, weight], bias, None, shape(of, layout, precision))
}

/// [`Kernels::linear_residual`](crate::Kernels::linear_residual).
pub(crate) fn residual(
    residual: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let of = linear::check(x.dims(), weight.dims(), bias.as_ref().map(Tensor::dims), layout);
    linear::check_residual(residual.dims(), of);
    if of.1 == 0 {
        // Nothing is summed, so no product adds the residual.
        return residual.add(mapped([x, weight], bias, None, shape(of, layout, precision)));
    }
    mapped([x, weight], bias, Some(residual), shape(of, layout, precision))
}

fn shape(
    (tokens, inputs, outputs): (usize, usize, usize),
    layout: WeightLayout,
    precision: Precision,
) -> linear::cuda::Shape {
    linear::cuda::Shape { tokens, inputs, outputs, layout, precision }
}

fn mapped(
    [x, weight]: [Tensor<Cuda, 2>; 2],
    bias: Option<Tensor<Cuda, 1>>,
    residual: Option<Tensor<Cuda, 2>>,
    shape: linear::cuda::Shape,
) -> Tensor<Cuda, 2> {
    on(&x.device(), |machine| {
        let (x, weight) = (machine.input(x), machine.input(weight));
        let bias = bias.map(|bias| machine.input(bias));
        let residual = residual.map(|residual| machine.input(residual));
        let (bias, residual) = (bias.as_ref(), residual.as_ref());
        let y = linear::cuda::forward(machine, [&x, &weight], bias, residual, shape);
        machine.tensor(y, [shape.tokens, shape.outputs])
    })
}

/// [`Kernels::linear_input_backward`](crate::Kernels::linear_input_backward).
pub(crate) fn input_backward(
    grad: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let ([tokens, _], (inputs, outputs)) = (grad.dims(), layout.inputs_outputs(weight.dims()));
    assert_shape("linear", "grad", grad.dims(), [tokens, outputs], "`weight` fixes O");
    let shape = linear::cuda::Shape { tokens, inputs, outputs, layout, precision };
    on(&grad.device(), |machine| {
        let (grad, weight) = (machine.input(grad), machine.input(weight));
        let dx = linear::cuda::input_backward(machine, &grad, &weight, shape);
        machine.tensor(dx, [tokens, inputs])
    })
}

/// [`Kernels::linear_weight_backward`](crate::Kernels::linear_weight_backward).
pub(crate) fn weight_backward(
    grad: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Cuda, 2> {
    let ([tokens, outputs], [_, inputs]) = (grad.dims(), x.dims());
    assert_shape("linear", "x", x.dims(), [tokens, inputs], "`grad` fixes N");
    let shape = linear::cuda::Shape { tokens, inputs, outputs, layout, precision };
    let stored = match layout {
        WeightLayout::OutIn => [outputs, inputs],
        WeightLayout::InOut => [inputs, outputs],
    };
    on(&grad.device(), |machine| {
        let (grad, x) = (machine.input(grad), machine.input(x));
        let dweight = linear::cuda::weight_backward(machine, &grad, &x, shape);
        machine.tensor(dweight, stored)
    })
}
