//! SiLU and its derivatives against plain arithmetic and differences.

use burn::tensor::{Device, Tensor};

use super::reference;
use crate::families::refusals_tests::Refusal;
use crate::families::silu;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, numbers, values,
    values_with_threads,
};
use crate::{Cpu, Kernels};

/// How many directions: the function, its slope, its bend.
pub(super) struct Silu {
    pub(super) order: usize,
}

impl Case for Silu {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let rows: Vec<Tensor<B, 2>> = inputs.iter().map(|x| x.clone().unsqueeze()).collect();
        let [x, a, b] = [0, 1, 2].map(|at: usize| rows[at.min(self.order)].clone());
        match self.order {
            0 => silu::silu(x),
            1 => silu::silu_slope(a, x),
            _ => silu::silu_bend(a, b, x),
        }
        .flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let rows: Vec<Tensor<B, 2>> = inputs.iter().map(|x| x.clone().unsqueeze()).collect();
        let [x, a, b] = [0, 1, 2].map(|at: usize| rows[at.min(self.order)].clone());
        match self.order {
            0 => reference::forward(x),
            1 => reference::slope(a, x),
            _ => reference::bend(a, b, x),
        }
        .flatten(0, 1)
    }
}

impl Silu {
    pub(super) fn inputs(&self, count: usize) -> Vec<Vec<f64>> {
        let x = numbers(count, 1).iter().map(|x| 5.0 * x).collect();
        let directions = (0..self.order).map(|at| numbers(count, 2 + at as u64));
        std::iter::once(x).chain(directions).collect()
    }
}

fn plain<T: Real>(inputs: &[Vec<f64>]) -> Vec<T> {
    let one = T::of(1.0);
    let value = |x: T| {
        let s = one / (one + (-x).exp());
        match inputs.len() {
            1 => x * s,
            2 => s * (one + x * (one - s)),
            _ => s * (one - s) * (T::of(2.0) + x * (one - s - s)),
        }
    };
    let mut out: Vec<T> = cast::<T>(&inputs[0]).into_iter().map(value).collect();
    for direction in &inputs[1..] {
        for (out, along) in out.iter_mut().zip(cast::<T>(direction)) {
            *out = *out * along;
        }
    }
    out
}

#[test]
fn values_match_plain_arithmetic_for_whole_and_ragged_packs() {
    for order in 0..3 {
        for count in [1, 37, 20_000] {
            let (case, inputs) = (Silu { order }, Silu { order }.inputs(count));
            let (got32, got64) = values(&case, &inputs);
            assert_both(&got32, &got64, &plain::<f32>(&inputs), &plain::<f64>(&inputs));
        }
        check_values(&Silu { order }, &Silu { order }.inputs(50));
    }
}

#[test]
fn every_derivative_is_that_of_the_one_before_and_has_one_itself() {
    for order in 0..3 {
        check_gradient(&Silu { order }, &Silu { order }.inputs(7));
    }
}

#[test]
fn far_from_zero_nothing_overflows_and_nan_stays() {
    let x = vec![-1e4, 1e4, f64::NAN];
    let of = |order| {
        let ones = (0..order).map(|_| vec![1.0; 3]);
        values(&Silu { order }, &std::iter::once(x.clone()).chain(ones).collect::<Vec<_>>()).0
    };
    for (order, want) in [[0.0, 1e4], [0.0, 1.0], [0.0, 0.0]].into_iter().enumerate() {
        let got = of(order);
        assert_eq!(got[..2].iter().map(|x| x + 0.0).collect::<Vec<_>>(), want);
        assert!(got[2].is_nan());
    }
}

#[test]
fn no_numbers_give_nothing() {
    let none = || Tensor::<Cpu, 2>::zeros([0, 3], &Device::<Cpu>::default());
    assert_eq!(silu::silu(none()).dims(), [0, 3]);
    assert_eq!(silu::silu_slope(none(), none()).dims(), [0, 3]);
    assert_eq!(silu::silu_bend(none(), none(), none()).dims(), [0, 3]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    for order in 0..3 {
        let inputs = Silu { order }.inputs(30_000);
        let one = values_with_threads(&Silu { order }, &inputs, 1);
        assert_eq!(one, values_with_threads(&Silu { order }, &inputs, 3));
    }
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{any_shape, refusal, zeros};
    vec![
        refusal("silu_slope: `along` is [2, 2] but must be [2, 3]", || {
            silu::silu_slope(zeros([2, 2]), zeros([2, 3]))
        }),
        refusal("silu_bend: `b` is [2, 2] but must be [2, 3]", || {
            silu::silu_bend(zeros([2, 3]), zeros([2, 2]), zeros([2, 3]))
        }),
        any_shape("silu"),
    ]
}
