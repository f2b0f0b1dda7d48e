//! AdamW and AMSGrad against plain loops in the order of operations of PyTorch.

use burn::tensor::DType;

use super::{AdamwStep, AmsgradState};
use crate::Cpu;
use crate::families::adamw;
use crate::families::refusals_tests::Refusal;
use crate::testing::{Real, assert_both, cast, flat, host, numbers};

pub(super) fn scalars(step: u64) -> AdamwStep {
    AdamwStep {
        rate: 1e-2,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay: 0.1,
        step,
        grad_scale: 1.0,
    }
}

/// `[p, m, v]` after three steps with different gradients.
fn plain<T: Real>(count: usize) -> Vec<T> {
    let mut p = cast::<T>(&numbers(count, 1));
    let (mut m, mut v) = (vec![T::of(0.0); count], vec![T::of(0.0); count]);
    for step in 1..=3 {
        let (s, g) = (scalars(step), cast::<T>(&numbers(count, 10 + step)));
        let t = i32::try_from(step).expect("three steps");
        let size = T::of(s.rate / (1.0 - s.beta1.powi(t)));
        let correction = T::of((1.0 - s.beta2.powi(t)).sqrt());
        for i in 0..count {
            p[i] = p[i] * T::of(1.0 - s.rate * s.weight_decay);
            m[i] = m[i] + T::of(1.0 - s.beta1) * (g[i] - m[i]);
            v[i] = T::of(s.beta2) * v[i] + T::of(1.0 - s.beta2) * g[i] * g[i];
            let denominator = v[i].sqrt() / correction + T::of(s.epsilon);
            p[i] = p[i] - size * (m[i] / denominator);
        }
    }
    [p, m, v].concat()
}

fn kernel(count: usize, dtype: DType) -> Vec<f64> {
    let zeros = vec![0.0; count];
    let mut state = (flat(&numbers(count, 1), dtype), flat(&zeros, dtype), flat(&zeros, dtype));
    for step in 1..=3 {
        let grad = flat::<Cpu>(&numbers(count, 10 + step), dtype);
        state = adamw::adamw(state.0, grad, state.1, state.2, &scalars(step));
    }
    [host(state.0), host(state.1), host(state.2)].concat()
}

#[test]
fn three_steps_match_plain_loops() {
    for count in [1, 50, 1031] {
        let (got32, got64) = (kernel(count, DType::F32), kernel(count, DType::F64));
        assert_both(&got32, &got64, &plain::<f32>(count), &plain::<f64>(count));
    }
}

#[test]
fn the_first_step_moves_by_the_rate_whatever_the_gradient() {
    let step = AdamwStep { weight_decay: 0.0, epsilon: 0.0, ..scalars(1) };
    let zero = || flat::<Cpu>(&[0.0, 0.0], DType::F64);
    let grad = flat::<Cpu>(&[1e-6, -1e6], DType::F64);
    let (p, _, _) = adamw::adamw(zero(), grad, zero(), zero(), &step);
    // m / sqrt(v) is the sign of the gradient up to a dozen roundings.
    crate::oracle::assert_within(&host(p), &[-1e-2, 1e-2], |_| 12.0 * f64::EPSILON * 1e-2);
}

#[test]
fn a_nan_gradient_spoils_only_its_own_parameter() {
    let zero = || flat::<Cpu>(&[0.0, 0.0], DType::F32);
    let grad = flat::<Cpu>(&[f64::NAN, 1.0], DType::F32);
    let (p, m, v) = adamw::adamw(zero(), grad, zero(), zero(), &scalars(1));
    for state in [host(p), host(m), host(v)] {
        assert!(state[0].is_nan() && state[1].is_finite());
    }
}

#[test]
#[should_panic(expected = "adamw: `step` is 0 but counts from 1")]
fn a_step_counted_from_zero_is_refused() {
    let zero = || flat::<Cpu>(&[0.0], DType::F32);
    let _ = adamw::adamw(zero(), zero(), zero(), zero(), &scalars(0));
}

/// The gradients shrink, so that the largest second moment differs from the last one.
fn shrinking(count: usize, step: u64) -> Vec<f64> {
    numbers(count, 20 + step).iter().map(|g| g * 0.01_f64.powf(step as f64 - 1.0)).collect()
}

/// `[p, m, v, u]` after four steps.
fn plain_amsgrad<T: Real>(count: usize) -> Vec<T> {
    let mut p = cast::<T>(&numbers(count, 1));
    let [mut m, mut v, mut u] = [0; 3].map(|_| vec![T::of(0.0); count]);
    for step in 1..=4 {
        let (s, g) = (scalars(step), cast::<T>(&shrinking(count, step)));
        let t = i32::try_from(step).expect("four steps");
        let size = T::of(s.rate / (1.0 - s.beta1.powi(t)));
        let correction = T::of((1.0 - s.beta2.powi(t)).sqrt());
        for i in 0..count {
            let g = g[i] + p[i] * T::of(s.weight_decay);
            m[i] = m[i] + T::of(1.0 - s.beta1) * (g - m[i]);
            v[i] = T::of(s.beta2) * v[i] + T::of(1.0 - s.beta2) * g * g;
            u[i] = if v[i] > u[i] { v[i] } else { u[i] };
            let denominator = u[i].sqrt() / correction + T::of(s.epsilon);
            p[i] = p[i] - size * (m[i] / denominator);
        }
    }
    [p, m, v, u].concat()
}

fn kernel_amsgrad(count: usize, dtype: DType) -> Vec<f64> {
    let zeros = || flat::<Cpu>(&vec![0.0; count], dtype);
    let param = flat(&numbers(count, 1), dtype);
    let mut state = AmsgradState { param, first: zeros(), second: zeros(), largest: zeros() };
    for step in 1..=4 {
        let grad = flat::<Cpu>(&shrinking(count, step), dtype);
        state = adamw::amsgrad(state, grad, &scalars(step));
    }
    [host(state.param), host(state.first), host(state.second), host(state.largest)].concat()
}

#[test]
fn four_steps_of_amsgrad_match_plain_loops() {
    for count in [1, 50, 1031] {
        let (got32, got64) = (kernel_amsgrad(count, DType::F32), kernel_amsgrad(count, DType::F64));
        let (want32, want64) = (plain_amsgrad::<f32>(count), plain_amsgrad::<f64>(count));
        assert_both(&got32, &got64, &want32, &want64);
    }
}

#[test]
fn amsgrad_remembers_the_largest_second_moment() {
    let last = |count| kernel_amsgrad(count, DType::F64);
    let state = last(50);
    let (second, largest) = (&state[100..150], &state[150..]);
    assert!(second.iter().zip(largest).all(|(v, u)| u >= v));
    assert!(second.iter().zip(largest).any(|(v, u)| u > v));
}

#[test]
fn the_scale_multiplies_the_gradient_of_both_rules() {
    let count = 37;
    let start = |values: &[f64]| flat::<Cpu>(values, DType::F64);
    let grad = numbers(count, 11);
    let half: Vec<f64> = grad.iter().map(|g| 0.5 * g).collect();
    let run = |grad: &[f64], grad_scale: f64| {
        let step = AdamwStep { grad_scale, ..scalars(2) };
        let [param, first] = [1, 2].map(|seed| start(&numbers(count, seed)));
        let second = start(&vec![0.1; count]);
        let (p, m, v) =
            adamw::adamw(param.clone(), start(grad), first.clone(), second.clone(), &step);
        let state = AmsgradState { param, first, second: second.clone(), largest: second };
        let state = adamw::amsgrad(state, start(grad), &step);
        [p, m, v, state.param, state.first, state.second, state.largest].map(host).concat()
    };
    assert_eq!(run(&grad, 0.5), run(&half, 1.0));
    assert_ne!(run(&grad, 0.5), run(&grad, 1.0));
}

/// Buffers of one length that several threads divide, against the reference.
#[test]
fn a_long_buffer_is_updated_as_the_reference_does() {
    let count = 3 * (1 << 14) + 5;
    let run = |fused: bool, dtype: DType| {
        let [param, first, grad] = [1, 2, 3].map(|seed| flat::<Cpu>(&numbers(count, seed), dtype));
        let second = flat::<Cpu>(&numbers(count, 4), dtype).abs();
        let step = AdamwStep { grad_scale: 0.25, ..scalars(3) };
        let (p, m, v) = if fused {
            adamw::adamw(param, grad, first, second, &step)
        } else {
            super::reference::step(param, grad, first, second, &step)
        };
        [p, m, v].map(host).concat()
    };
    let plain32: Vec<f32> = run(false, DType::F32).iter().map(|&x| Real::of(x)).collect();
    assert_both(&run(true, DType::F32), &run(true, DType::F64), &plain32, &run(false, DType::F64));
}

#[test]
fn a_state_held_by_the_caller_alone_is_updated_where_it_lies() {
    let [param, grad, first, second] = [1, 2, 3, 4]
        .map(|seed| crate::graph::primitive(flat::<Cpu>(&numbers(50, seed), DType::F32)));
    let at = |x: &burn::backend::flex::FlexTensor| x.bytes().as_ptr();
    let before = [at(&param), at(&first), at(&second)];
    let second = crate::graph::tensor::<Cpu, 1>(second).abs();
    let step = scalars(1);
    let [param, grad, first] = [param, grad, first].map(crate::graph::tensor::<Cpu, 1>);
    let kept = grad.clone();
    let (p, m, v) = adamw::adamw(param, grad, first, second, &step);
    let after = [p, m, v].map(|x| at(&crate::graph::primitive(x)));
    assert_eq!(after[..2], before[..2]);
    assert_eq!(host(kept), numbers(50, 2));
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    vec![
        refusal("adamw: `grad` is [2] but must be [3]", || {
            adamw::adamw(zeros([3]), zeros([2]), zeros([3]), zeros([3]), &scalars(1))
        }),
        refusal("amsgrad: `largest` is [2] but must be [3]", || {
            let [param, first, second] = [3; 3].map(|length| zeros([length]));
            let state = AmsgradState { param, first, second, largest: zeros([2]) };
            adamw::amsgrad(state, zeros([3]), &scalars(1))
        }),
    ]
}
