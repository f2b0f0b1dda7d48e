//! AdamW against a plain loop in the order of operations of PyTorch.

use burn::tensor::DType;

use super::AdamwStep;
use crate::testing::{Real, assert_both, cast, flat, host, numbers};
use crate::{Cpu, Kernels};

fn scalars(step: u64) -> AdamwStep {
    AdamwStep { rate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, step }
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
        state = Cpu::adamw(state.0, grad, state.1, state.2, &scalars(step));
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
    let (p, _, _) = Cpu::adamw(zero(), grad, zero(), zero(), &step);
    // m / sqrt(v) is the sign of the gradient up to a dozen roundings.
    crate::oracle::assert_within(&host(p), &[-1e-2, 1e-2], |_| 12.0 * f64::EPSILON * 1e-2);
}

#[test]
fn a_nan_gradient_spoils_only_its_own_parameter() {
    let zero = || flat::<Cpu>(&[0.0, 0.0], DType::F32);
    let grad = flat::<Cpu>(&[f64::NAN, 1.0], DType::F32);
    let (p, m, v) = Cpu::adamw(zero(), grad, zero(), zero(), &scalars(1));
    for state in [host(p), host(m), host(v)] {
        assert!(state[0].is_nan() && state[1].is_finite());
    }
}

#[test]
#[should_panic(expected = "adamw: `step` is 0 but counts from 1")]
fn a_step_counted_from_zero_is_refused() {
    let zero = || flat::<Cpu>(&[0.0], DType::F32);
    let _ = Cpu::adamw(zero(), zero(), zero(), zero(), &scalars(0));
}
