//! Both forms of GELU on the CPU, one pass over their buffers.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::GeluKind;
use super::formula::{Erf, ErfBackward, Tanh, TanhBackward};
use crate::cpu::map;
use crate::graph::{primitive, tensor};

/// [`gelu`](fn@crate::families::gelu::gelu).
pub(crate) fn forward(x: Tensor<Flex, 2>, kind: GeluKind) -> Tensor<Flex, 2> {
    let inputs = [primitive(x)];
    let [y] = match kind {
        GeluKind::Erf => map("gelu", &Erf, inputs),
        GeluKind::Tanh => map("gelu", &Tanh, inputs),
    };
    tensor(y)
}

/// [`gelu_backward`](fn@crate::families::gelu::gelu_backward).
pub(crate) fn backward(
    grad: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    kind: GeluKind,
) -> Tensor<Flex, 2> {
    let inputs = [primitive(grad), primitive(x)];
    let [dx] = match kind {
        GeluKind::Erf => map("gelu_backward", &ErfBackward, inputs),
        GeluKind::Tanh => map("gelu_backward", &TanhBackward, inputs),
    };
    tensor(dx)
}
