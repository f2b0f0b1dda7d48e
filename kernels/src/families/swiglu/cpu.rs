//! The gated activation on the CPU, one pass over its buffers.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::formula::{Backward, Swiglu};
use crate::cpu::map;
use crate::graph::{primitive, tensor};

/// [`swiglu`](fn@crate::families::swiglu::swiglu).
pub(crate) fn forward(gate: Tensor<Flex, 2>, up: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("swiglu", &Swiglu, [primitive(gate), primitive(up)]);
    tensor(y)
}

/// [`swiglu_backward`](fn@crate::families::swiglu::swiglu_backward).
pub(crate) fn backward(
    grad: Tensor<Flex, 2>,
    gate: Tensor<Flex, 2>,
    up: Tensor<Flex, 2>,
) -> (Tensor<Flex, 2>, Tensor<Flex, 2>) {
    let inputs = [primitive(grad), primitive(gate), primitive(up)];
    let [gate, up] = map("swiglu_backward", &Backward, inputs);
    (tensor(gate), tensor(up))
}
