//! Both forms against closed forms that share nothing with the implementation.

use burn::tensor::Tensor;

use super::{CUBE, GeluKind, reference};
use crate::Kernels;
use crate::families::gelu;
use crate::families::refusals_tests::Refusal;
use crate::oracle::assert_within;
use crate::testing::{Case, Real, assert_both, cast, check_gradient, numbers, values};

pub(super) struct Gelu {
    pub(super) kind: GeluKind,
}

impl Case for Gelu {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        gelu::gelu(inputs[0].clone().unsqueeze(), self.kind).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        reference::forward(inputs[0].clone().unsqueeze(), self.kind).flatten(0, 1)
    }
}

pub(super) const KINDS: [GeluKind; 2] = [GeluKind::Tanh, GeluKind::Erf];

fn plain_tanh<T: Real>(x: &[f64]) -> Vec<T> {
    let (two, one, root) = (T::of(2.0), T::of(1.0), T::of((2.0 / std::f64::consts::PI).sqrt()));
    let value = |x: T| x / two * (one + (root * (x + T::of(CUBE) * x * x * x)).tanh());
    cast::<T>(x).into_iter().map(value).collect()
}

/// Error function by its power series; for |x| < 3 the terms stay below 10^3, which costs three
/// of the sixteen digits.
fn erf(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    for n in 1..100 {
        let n = f64::from(n);
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[test]
fn the_tanh_form_matches_plain_arithmetic() {
    let x: Vec<f64> = numbers(64, 1).iter().map(|x| 4.0 * x).collect();
    let (got32, got64) = values(&Gelu { kind: GeluKind::Tanh }, std::slice::from_ref(&x));
    assert_both(&got32, &got64, &plain_tanh::<f32>(&x), &plain_tanh::<f64>(&x));
}

#[test]
fn the_erf_form_matches_its_power_series() {
    let x: Vec<f64> = numbers(64, 1).iter().map(|x| 4.0 * x).collect();
    let exact: Vec<f64> =
        x.iter().map(|x| x / 2.0 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))).collect();
    let (got32, got64) = values(&Gelu { kind: GeluKind::Erf }, std::slice::from_ref(&x));
    // A few roundings of numbers up to |x|, relative to |x| because 1 + erf may cancel.
    let (wide, narrow) = (f64::EPSILON, f64::from(f32::EPSILON));
    assert_within(&got64, &exact, |at| 1e3 * wide * x[at].abs());
    assert_within(&got32, &exact, |at| 4.0 * narrow * x[at].abs());
}

#[test]
fn the_backward_is_the_derivative_of_both_forms() {
    for kind in KINDS {
        let x: Vec<f64> = numbers(9, 1).iter().map(|x| 3.0 * x).collect();
        check_gradient(&Gelu { kind }, &[x]);
        check_gradient(&Gelu { kind }, &[vec![0.0]]);
    }
}

#[test]
fn large_inputs_pass_or_vanish_and_nan_stays() {
    for kind in KINDS {
        let (got, _) = values(&Gelu { kind }, &[vec![40.0, -40.0, f64::NAN]]);
        assert_eq!(got[..2], [40.0, 0.0]);
        assert!(got[2].is_nan());
    }
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{any_shape, refusal, zeros};
    vec![
        refusal("gelu_backward: `grad` is [2, 2] but must be [2, 3]", || {
            gelu::gelu_backward(zeros([2, 2]), zeros([2, 3]), GeluKind::Erf)
        }),
        any_shape("gelu"),
    ]
}
