//! The gated activation on the CPU, one pass over its buffers.

use burn::backend::Flex;
use burn::tensor::Tensor;

use crate::cpu::functions::logistic;
use crate::cpu::{Elementwise, Lanes, map};
use crate::graph::{primitive, tensor};

/// [`swiglu`](fn@crate::families::swiglu::swiglu).
pub(crate) fn forward(gate: Tensor<Flex, 2>, up: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("swiglu", &Forward, [primitive(gate), primitive(up)]);
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

struct Forward;

impl Elementwise<2, 1> for Forward {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [gate, up]: [P; 2]) -> [P; 1] {
        [logistic(gate).mul(gate).mul(up)]
    }
}

struct Backward;

impl Elementwise<3, 2> for Backward {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [grad, gate, up]: [P; 3]) -> [P; 2] {
        let open = logistic(gate);
        let silu = open.mul(gate);
        // s (1 + a (1 - s)) = s + silu (1 - s)
        let slope = silu.mul_add(P::of(1.0).sub(open), open);
        [slope.mul(up).mul(grad), silu.mul(grad)]
    }
}
