//! SiLU and its derivatives on the CPU, one pass each.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::formula::{Bend, Silu, Slope};
use crate::cpu::map;
use crate::graph::{primitive, tensor};

/// [`silu`](fn@crate::families::silu::silu).
pub(crate) fn forward(x: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("silu", &Silu, [primitive(x)]);
    tensor(y)
}

/// [`silu_slope`](fn@crate::families::silu::silu_slope).
pub(crate) fn slope(along: Tensor<Flex, 2>, x: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("silu_slope", &Slope, [primitive(along), primitive(x)]);
    tensor(y)
}

/// [`silu_bend`](fn@crate::families::silu::silu_bend).
pub(crate) fn bend(a: Tensor<Flex, 2>, b: Tensor<Flex, 2>, x: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("silu_bend", &Bend, [primitive(a), primitive(b), primitive(x)]);
    tensor(y)
}
