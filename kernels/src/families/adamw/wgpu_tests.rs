//! Both optimizers on an adapter against the reference in f64.

use burn::tensor::{DType, Tensor};

use super::tests::scalars;
use super::{AdamwStep, AmsgradState, reference};
use crate::families::adamw;
use crate::machine::wgpu::testing::{
    DIVISION_ULPS, Operation, SQRT_ULPS, adapter_is_missing, check_values,
};
use crate::testing::{flat, host, numbers};
use crate::{Kernels, Wgpu};

struct Adamw(AdamwStep);

struct Amsgrad(AdamwStep);

impl Operation for Adamw {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [p, g, m, v] = [0, 1, 2, 3].map(|at| inputs[at].clone());
        let (p, m, v) = adamw::adamw(p, g, m, v, &self.0);
        vec![p, m, v]
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [p, g, m, v] = [0, 1, 2, 3].map(|at| inputs[at].clone());
        let (p, m, v) = reference::step(p, g, m, v, &self.0);
        vec![p, m, v]
    }
}

impl Amsgrad {
    fn state<B: Kernels>(inputs: &[Tensor<B, 1>]) -> AmsgradState<B> {
        let [param, first, second, largest] = [0, 2, 3, 4].map(|at| inputs[at].clone());
        AmsgradState { param, first, second, largest }
    }
}

fn parts<B: Kernels>(state: AmsgradState<B>) -> Vec<Tensor<B, 1>> {
    vec![state.param, state.first, state.second, state.largest]
}

impl Operation for Amsgrad {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        parts(adamw::amsgrad(Self::state(inputs), inputs[1].clone(), &self.0))
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        parts(reference::amsgrad(Self::state(inputs), inputs[1].clone(), &self.0))
    }
}

/// Parameters, gradients, moments, squared moments, and their largest so far.
fn inputs(count: usize) -> Vec<Vec<f64>> {
    let positive = |seed| numbers(count, seed).iter().map(|x| x.abs() + 0.01).collect();
    vec![numbers(count, 1), numbers(count, 2), numbers(count, 3), positive(4), positive(5)]
}

#[test]
fn a_step_of_both_rules_on_an_adapter_is_that_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    // A root and two quotients, of a move that is smaller than the largest parameter.
    let looser = SQRT_ULPS + 2.0 * DIVISION_ULPS;
    for step in [scalars(1), AdamwStep { grad_scale: 0.3, ..scalars(7) }] {
        for count in [0, 1, 255, 257, 5000] {
            check_values(&Adamw(step), &inputs(count)[..4], looser);
            check_values(&Amsgrad(step), &inputs(count), looser);
        }
    }
}

#[test]
fn a_nan_gradient_spoils_only_its_own_parameter_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let mut all = inputs(2);
    all[1][0] = f64::NAN;
    let tensors: Vec<_> = all.iter().map(|x| flat::<Wgpu>(x, DType::F32)).collect();
    let found = [Adamw(scalars(1)).kernel(&tensors), Amsgrad(scalars(1)).kernel(&tensors)];
    for state in found.into_iter().flatten().map(host) {
        assert!(state[0].is_nan() && state[1].is_finite(), "{state:?}");
    }
}

#[test]
fn buffers_that_the_caller_keeps_are_left_as_they_were() {
    if adapter_is_missing() {
        return;
    }
    let [p, g, m, v] = [0, 1, 2, 3].map(|at| flat::<Wgpu>(&inputs(300)[at], DType::F32));
    // One tensor as both moments, and all of them kept.
    let kept = [p.clone(), g.clone(), m.clone(), v.clone()];
    let _ = adamw::adamw(p, g, m.clone(), m, &scalars(1));
    for (at, kept) in kept.into_iter().enumerate() {
        let want = host(flat::<Wgpu>(&inputs(300)[at], DType::F32));
        assert_eq!(host(kept), want);
    }
    drop(v);
}
