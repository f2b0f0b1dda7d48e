//! Activations, dropout and rounding.

use burn::tensor::Tensor;

use crate::families::{dropout, gelu, silu, swiglu};
use crate::machine::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::shape::assert_shape;
use crate::{Cuda, DropoutMask, GeluKind};

/// [`round_to_bf16`](fn@crate::families::precision::round_to_bf16).
pub(crate) fn round_to_bf16<const D: usize>(x: Tensor<Cuda, D>) -> Tensor<Cuda, D> {
    let shape = x.dims();
    on(&x.device(), |machine| {
        let rounded = crate::machine::cuda::rounding::round_to_bf16(machine, &machine.input(x));
        machine.tensor(rounded, shape)
    })
}

/// [`gelu`](fn@crate::families::gelu::gelu).
pub(crate) fn gelu(x: Tensor<Cuda, 2>, kind: GeluKind) -> Tensor<Cuda, 2> {
    let [y] = elementwise([x], |machine, [x]| [gelu::cuda::forward(machine, x, kind)]);
    y
}

/// [`gelu_backward`](fn@crate::families::gelu::gelu_backward).
pub(crate) fn gelu_backward(
    grad: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    kind: GeluKind,
) -> Tensor<Cuda, 2> {
    let [y] =
        elementwise([grad, x], |machine, inputs| [gelu::cuda::backward(machine, inputs, kind)]);
    y
}

/// [`swiglu`](fn@crate::families::swiglu::swiglu).
pub(crate) fn swiglu(gate: Tensor<Cuda, 2>, up: Tensor<Cuda, 2>) -> Tensor<Cuda, 2> {
    assert_shape("swiglu", "up", up.dims(), gate.dims(), "`gate` has that shape");
    let [y] =
        elementwise([gate, up], |machine, [gate, up]| [swiglu::cuda::forward(machine, gate, up)]);
    y
}

/// [`swiglu_backward`](fn@crate::families::swiglu::swiglu_backward).
pub(crate) fn swiglu_backward(
    grad: Tensor<Cuda, 2>,
    gate: Tensor<Cuda, 2>,
    up: Tensor<Cuda, 2>,
) -> (Tensor<Cuda, 2>, Tensor<Cuda, 2>) {
    let [gate, up] = elementwise([grad, gate, up], swiglu::cuda::backward);
    (gate, up)
}

/// [`silu`](fn@crate::families::silu::silu).
pub(crate) fn silu(x: Tensor<Cuda, 2>) -> Tensor<Cuda, 2> {
    let [y] = elementwise([x], |machine, [x]| [silu::cuda::forward(machine, x)]);
    y
}

/// [`silu_slope`](fn@crate::families::silu::silu_slope).
pub(crate) fn silu_slope(along: Tensor<Cuda, 2>, x: Tensor<Cuda, 2>) -> Tensor<Cuda, 2> {
    let [y] = elementwise([along, x], |machine, inputs| [silu::cuda::slope(machine, inputs)]);
    y
}

/// [`silu_bend`](fn@crate::families::silu::silu_bend).
pub(crate) fn silu_bend(
    a: Tensor<Cuda, 2>,
    b: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
) -> Tensor<Cuda, 2> {
    let [y] = elementwise([a, b, x], |machine, inputs| [silu::cuda::bend(machine, inputs)]);
    y
}

/// [`dropout`](fn@crate::families::dropout::dropout).
pub(crate) fn dropout(x: Tensor<Cuda, 2>, mask: &DropoutMask) -> Tensor<Cuda, 2> {
    let [y] = elementwise([x], |machine, [x]| [dropout::cuda::forward(machine, x, mask)]);
    y
}

/// Outputs in the shape of the inputs, which have one.
fn elementwise<const I: usize, const O: usize>(
    inputs: [Tensor<Cuda, 2>; I],
    operation: impl FnOnce(&DeviceMachine, [&DeviceArray; I]) -> [DeviceArray; O],
) -> [Tensor<Cuda, 2>; O] {
    let (shape, device) = (inputs[0].dims(), inputs[0].device());
    for input in &inputs {
        assert_shape("an elementwise operation", "input", input.dims(), shape, "as the first");
    }
    on(&device, |machine| {
        let inputs = inputs.map(|x| machine.input(x));
        operation(machine, inputs.each_ref()).map(|array| machine.tensor(array, shape))
    })
}
