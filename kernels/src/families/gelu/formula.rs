//! Both forms of GELU and their gradients as formulas.
//!
//! One description: the CPU computes with it, kernels of GPUs are printed from it.

use std::f64::consts::FRAC_1_SQRT_2;

use super::{CUBE, ROOT_TWO_OVER_PI};
use crate::formula::{Formula, Term};

/// `Phi(x)`, the normal distribution function.
#[inline(always)]
fn distribution<T: Term>(x: T) -> T {
    let half = T::of(0.5);
    x.mul(T::of(FRAC_1_SQRT_2)).erf().mul_add(half, half)
}

/// `u = sqrt(2 / pi) (x + CUBE x^3)` and `x^2`.
#[inline(always)]
fn tanh_argument<T: Term>(x: T) -> (T, T) {
    let square = x.mul(x);
    let cubic = square.mul_add(T::of(ROOT_TWO_OVER_PI * CUBE), T::of(ROOT_TWO_OVER_PI));
    (cubic.mul(x), square)
}

/// Beyond this `tanh u` is 1 and its slope 0, which times an infinite square would be no number.
const LARGEST_SQUARE: f64 = 1e30;

/// `x Phi(x)`.
pub(crate) struct Erf;

impl Formula<1, 1> for Erf {
    const NAME: &'static str = "gelu_erf";
    const MATHS: &'static str = "y = x P, P = (1 + erf(x / sqrt 2)) / 2";
    const INPUTS: [&'static str; 1] = ["x"];
    const OUTPUTS: [&'static str; 1] = ["y"];

    #[inline(always)]
    fn apply<T: Term>([x]: [T; 1]) -> [T; 1] {
        [distribution(x).mul(x)]
    }
}

/// Gradient of x.
pub(crate) struct ErfBackward;

impl Formula<2, 1> for ErfBackward {
    const NAME: &'static str = "gelu_erf_backward";
    const MATHS: &'static str =
        "dx = g (P + x exp(-x^2 / 2) / sqrt(2 pi)), P = (1 + erf(x / sqrt 2)) / 2";
    const INPUTS: [&'static str; 2] = ["grad", "x"];
    const OUTPUTS: [&'static str; 1] = ["dx"];

    #[inline(always)]
    fn apply<T: Term>([grad, x]: [T; 2]) -> [T; 1] {
        let bell = x.mul(x).mul(T::of(-0.5)).exp().mul(T::of(0.5 * ROOT_TWO_OVER_PI));
        [bell.mul_add(x, distribution(x)).mul(grad)]
    }
}

/// `x (1 + tanh u) / 2`.
pub(crate) struct Tanh;

impl Formula<1, 1> for Tanh {
    const NAME: &'static str = "gelu_tanh";
    const MATHS: &'static str =
        "y = x (1 + t) / 2, t = tanh(r (x + c x^3)), r = sqrt(2 / pi), c = 0.044715";
    const INPUTS: [&'static str; 1] = ["x"];
    const OUTPUTS: [&'static str; 1] = ["y"];

    #[inline(always)]
    fn apply<T: Term>([x]: [T; 1]) -> [T; 1] {
        let (u, _) = tanh_argument(x);
        [u.tanh().mul_add(T::of(0.5), T::of(0.5)).mul(x)]
    }
}

/// Gradient of x.
pub(crate) struct TanhBackward;

impl Formula<2, 1> for TanhBackward {
    const NAME: &'static str = "gelu_tanh_backward";
    const MATHS: &'static str =
        "dx = g ((1 + t) / 2 + x (1 - t^2) r (1 + 3 c x^2) / 2), t, r and c as in gelu_tanh";
    const INPUTS: [&'static str; 2] = ["grad", "x"];
    const OUTPUTS: [&'static str; 1] = ["dx"];

    #[inline(always)]
    fn apply<T: Term>([grad, x]: [T; 2]) -> [T; 1] {
        let (u, square) = tanh_argument(x);
        let t = u.tanh();
        let slope = T::of(1.5 * ROOT_TWO_OVER_PI * CUBE);
        let square = square.min(T::of(LARGEST_SQUARE));
        let inner = square.mul_add(slope, T::of(0.5 * ROOT_TWO_OVER_PI));
        let open = t.mul_add(T::of(0.5), T::of(0.5));
        [u.tanh_slope(t).mul(inner).mul_add(x, open).mul(grad)]
    }
}
