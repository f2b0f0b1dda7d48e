//! The gated activation on an adapter against the reference in f64.

use burn::tensor::{Device, Tensor};

use super::reference;
use super::tests::{Swiglu, inputs};
use crate::families::swiglu;
use crate::machine::wgpu::testing::{
    DIVISION_ULPS, Operation, adapter_is_missing, check_gradients, check_values, exp_ulps, values,
};
use crate::testing::numbers;
use crate::{Kernels, Wgpu};

/// An exponential of a gate of at most five, and a quotient.
fn looser_ulps() -> f64 {
    exp_ulps(5.0) + DIVISION_ULPS
}

struct Backward;

impl Operation for Backward {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [gate, up, grad] = [0, 1, 2].map(|at| inputs[at].clone().unsqueeze());
        let (dgate, dup) = swiglu::swiglu_backward(grad, gate, up);
        vec![dgate.flatten(0, 1), dup.flatten(0, 1)]
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [gate, up, grad] = [0, 1, 2].map(|at| inputs[at].clone().unsqueeze());
        let (dgate, dup) = reference::backward(grad, gate, up);
        vec![dgate.flatten(0, 1), dup.flatten(0, 1)]
    }
}

#[test]
fn values_and_gradients_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for count in [1, 37, 256, 257, 5000] {
        let mut all = inputs(count);
        check_values(&Swiglu, &all, looser_ulps());
        all.push(numbers(count, 3));
        check_values(&Backward, &all, looser_ulps());
    }
    check_gradients(&Swiglu, &inputs(300), looser_ulps());
}

#[test]
fn a_gate_far_below_zero_closes_without_nan_and_nan_stays_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let got = values(&Swiglu, &[vec![-1e4, 1e4, f64::NAN], vec![2.0, 2.0, 2.0]]).concat();
    // 1e4 / (1 + e^88): subnormal, which a device may take for zero.
    assert!(got[0].abs() < 1e-30);
    assert_eq!(got[1..2], [2e4]);
    assert!(got[2].is_nan());
}

#[test]
fn nothing_gives_nothing_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let [gate, up, grad] =
        [0; 3].map(|_| Tensor::<Wgpu, 2>::zeros([0, 3], &Device::<Wgpu>::default()));
    assert_eq!(swiglu::swiglu(gate.clone(), up.clone()).into_data().num_elements(), 0);
    let (dgate, dup) = swiglu::swiglu_backward(grad, gate, up);
    assert_eq!([dgate.dims(), dup.dims()], [[0, 3]; 2]);
}
