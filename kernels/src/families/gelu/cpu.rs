//! Both forms of GELU on the CPU, one pass over their buffers.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::{CUBE, GeluKind, ROOT_TWO_OVER_PI};
use crate::cpu::functions::{erf, exp, tanh};
use crate::cpu::{Elementwise, Lanes, map};
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
        GeluKind::Erf => map("gelu_backward", &Erf, inputs),
        GeluKind::Tanh => map("gelu_backward", &Tanh, inputs),
    };
    tensor(dx)
}

struct Erf;

/// `Phi(x)`, the normal distribution function.
#[inline(always)]
fn distribution<P: Lanes>(x: P) -> P {
    let half = P::of(0.5);
    erf(x.mul(P::of(FRAC_1_SQRT_2))).mul_add(half, half)
}

impl Elementwise<1, 1> for Erf {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [x]: [P; 1]) -> [P; 1] {
        [distribution(x).mul(x)]
    }
}

impl Elementwise<2, 1> for Erf {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [grad, x]: [P; 2]) -> [P; 1] {
        let bell = exp(x.mul(x).mul(P::of(-0.5))).mul(P::of(0.5 * ROOT_TWO_OVER_PI));
        [bell.mul_add(x, distribution(x)).mul(grad)]
    }
}

struct Tanh;

/// `tanh(sqrt(2 / pi) (x + CUBE x^3))` and `x^2`.
#[inline(always)]
fn gate<P: Lanes>(x: P) -> (P, P) {
    let square = x.mul(x);
    let cubic = square.mul_add(P::of(ROOT_TWO_OVER_PI * CUBE), P::of(ROOT_TWO_OVER_PI));
    (tanh(cubic.mul(x)), square)
}

impl Elementwise<1, 1> for Tanh {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [x]: [P; 1]) -> [P; 1] {
        let (t, _) = gate(x);
        [t.mul_add(P::of(0.5), P::of(0.5)).mul(x)]
    }
}

impl Elementwise<2, 1> for Tanh {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [grad, x]: [P; 2]) -> [P; 1] {
        let (t, square) = gate(x);
        let inner =
            square.mul_add(P::of(1.5 * ROOT_TWO_OVER_PI * CUBE), P::of(0.5 * ROOT_TWO_OVER_PI));
        let rise = P::of(1.0).sub(t.mul(t));
        let open = t.mul_add(P::of(0.5), P::of(0.5));
        [rise.mul(inner).mul_add(x, open).mul(grad)]
    }
}
