//! The gated activation against plain arithmetic.

use burn::tensor::Tensor;

use super::reference;
use crate::Kernels;
use crate::families::refusals_tests::Refusal;
use crate::families::swiglu;
use crate::testing::{Case, Real, assert_both, cast, check_gradient, numbers, values};

pub(super) struct Swiglu;

impl Case for Swiglu {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [gate, up] = [0, 1].map(|at| inputs[at].clone().unsqueeze());
        swiglu::swiglu(gate, up).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [gate, up] = [0, 1].map(|at| inputs[at].clone().unsqueeze());
        reference::forward(gate, up).flatten(0, 1)
    }
}

fn plain<T: Real>(inputs: &[Vec<f64>]) -> Vec<T> {
    let [gate, up] = [0, 1].map(|at| cast::<T>(&inputs[at]));
    let value = |(&gate, &up): (&T, &T)| gate / (T::of(1.0) + (-gate).exp()) * up;
    gate.iter().zip(&up).map(value).collect()
}

pub(super) fn inputs(count: usize) -> Vec<Vec<f64>> {
    vec![numbers(count, 1).iter().map(|x| 5.0 * x).collect(), numbers(count, 2)]
}

#[test]
fn values_match_plain_arithmetic() {
    for count in [1, 37] {
        let (got32, got64) = values(&Swiglu, &inputs(count));
        let inputs = inputs(count);
        assert_both(&got32, &got64, &plain::<f32>(&inputs), &plain::<f64>(&inputs));
    }
}

#[test]
fn the_backward_is_the_derivative() {
    check_gradient(&Swiglu, &inputs(7));
    check_gradient(&Swiglu, &inputs(1));
}

#[test]
fn a_gate_far_below_zero_closes_without_nan_and_nan_stays() {
    let (got, _) = values(&Swiglu, &[vec![-1e4, 1e4, f64::NAN], vec![2.0, 2.0, 2.0]]);
    assert_eq!(got[..2], [0.0, 2e4]);
    assert!(got[2].is_nan());
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    vec![
        refusal("swiglu: `up` is [2, 2] but must be [2, 3]", || {
            swiglu::swiglu(zeros([2, 3]), zeros([2, 2]))
        }),
        refusal("swiglu_backward: `grad` is [2, 2] but must be [2, 3]", || {
            swiglu::swiglu_backward(zeros([2, 2]), zeros([2, 3]), zeros([2, 3]))
        }),
    ]
}
