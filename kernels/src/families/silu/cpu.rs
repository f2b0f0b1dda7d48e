//! SiLU and its derivatives on the CPU, one pass each.

use burn::backend::Flex;
use burn::tensor::Tensor;

use crate::cpu::functions::logistic;
use crate::cpu::{Elementwise, Lanes, map};
use crate::graph::{primitive, tensor};

/// [`silu`](fn@crate::families::silu::silu).
pub(crate) fn forward(x: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("silu", &Silu, [primitive(x)]);
    tensor(y)
}

/// [`silu_slope`](fn@crate::families::silu::silu_slope).
pub(crate) fn slope(along: Tensor<Flex, 2>, x: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("silu_slope", &Silu, [primitive(along), primitive(x)]);
    tensor(y)
}

/// [`silu_bend`](fn@crate::families::silu::silu_bend).
pub(crate) fn bend(a: Tensor<Flex, 2>, b: Tensor<Flex, 2>, x: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [y] = map("silu_bend", &Silu, [primitive(a), primitive(b), primitive(x)]);
    tensor(y)
}

struct Silu;

impl Elementwise<1, 1> for Silu {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [x]: [P; 1]) -> [P; 1] {
        [logistic(x).mul(x)]
    }
}

impl Elementwise<2, 1> for Silu {
    /// `s (1 + x (1 - s))`
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [along, x]: [P; 2]) -> [P; 1] {
        let open = logistic(x);
        let silu = open.mul(x);
        [silu.mul_add(P::of(1.0).sub(open), open).mul(along)]
    }
}

impl Elementwise<3, 1> for Silu {
    /// `s (1 - s) (2 + x (1 - 2 s))`
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [a, b, x]: [P; 3]) -> [P; 1] {
        let open = logistic(x);
        let rise = open.mul(P::of(1.0).sub(open));
        let rest = P::of(1.0).sub(open.add(open));
        [x.mul_add(rest, P::of(2.0)).mul(rise).mul(a).mul(b)]
    }
}
