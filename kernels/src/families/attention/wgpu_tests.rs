//! Attention on an adapter against the reference in f64: ragged segments around the tile, shared heads,
//! head widths around a slice.

use burn::tensor::Tensor;

use super::tests::Attention;
use super::{AttentionProblem, reference};
use crate::families::attention;
use crate::machine::wgpu::testing::{
    DIVISION_ULPS, LOG_ULPS, Operation, adapter_is_missing, check_gradients, check_values,
    exp_ulps, values,
};
use crate::oracle::assert_within;
use crate::testing::numbers;
use crate::{Kernels, Precision};

/// Output, log-sum-exp, and the gradients of q, k and v.
struct All(Attention);

impl Operation for All {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let ([q, k, v], grad) = self.arguments(inputs);
        let problem = &self.0.problem;
        let (o, lse) = attention::attention(q.clone(), k.clone(), v.clone(), problem);
        let (dq, dk, dv) =
            attention::attention_backward(grad, q, k, v, o.clone(), lse.clone(), problem);
        Self::parts([o, dq, dk, dv], lse)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let ([q, k, v], grad) = self.arguments(inputs);
        let problem = &self.0.problem;
        let (o, lse) = reference::forward(q.clone(), k.clone(), v.clone(), problem);
        let (dq, dk, dv) = reference::backward(grad, q, k, v, o.clone(), &lse, problem);
        Self::parts([o, dq, dk, dv], lse)
    }
}

impl All {
    fn new(starts: &[u32], causal: bool, sizes: [usize; 3]) -> Self {
        let mut case = Attention::packed(starts, causal, sizes);
        case.problem.scale = 1.0 / (sizes[2] as f64).sqrt();
        Self(case)
    }

    fn arguments<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> ([Tensor<B, 3>; 3], Tensor<B, 3>) {
        let qkv = self.0.arguments(inputs);
        let shape = qkv[0].dims();
        (qkv, inputs[3].clone().reshape(shape))
    }

    fn parts<B: Kernels>(of: [Tensor<B, 3>; 4], lse: Tensor<B, 2>) -> Vec<Tensor<B, 1>> {
        let mut parts = of.map(|x| x.flatten(0, 2)).to_vec();
        parts.push(lse.flatten(0, 1));
        parts
    }

    fn inputs(&self) -> Vec<Vec<f64>> {
        let mut inputs = self.0.inputs();
        inputs.push(numbers(inputs[0].len(), 4));
        inputs
    }

    #[track_caller]
    fn check(&self) {
        check_values(self, &self.inputs(), looser_ulps());
    }
}

/// Scores of these inputs spread over less than this: q and k are below two, and the scale keeps
/// their product below twice its standard deviation of 4/3 per root of D, times three.
const SPREAD: f64 = 8.0;

/// A weight is an exponential that a second one rescales; the backward takes one more, of the
/// logarithm of their sum.
fn looser_ulps() -> f64 {
    3.0 * exp_ulps(SPREAD) + LOG_ULPS + DIVISION_ULPS
}

#[test]
fn segments_of_every_length_up_to_two_tiles_match_the_reference_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for causal in [false, true] {
        for length in [1, 2, 7, 31, 32, 33, 63, 64, 65] {
            All::new(&[0, length], causal, [2, 1, 5]).check();
        }
    }
}

#[test]
fn every_length_up_to_a_tile_and_one_is_right_in_one_packed_batch() {
    if adapter_is_missing() {
        return;
    }
    let starts: Vec<u32> = (0..=33).map(|at| at * (at + 1) / 2).collect();
    for causal in [false, true] {
        All::new(&starts, causal, [2, 2, 3]).check();
    }
}

#[test]
fn head_widths_around_a_slice_and_all_ways_to_share_heads_match_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for sizes in [[1, 1, 1], [4, 2, 15], [4, 1, 16], [3, 3, 17], [2, 1, 64], [2, 2, 130]] {
        for causal in [false, true] {
            All::new(&[0, 3, 4, 40], causal, sizes).check();
        }
    }
}

#[test]
fn long_segments_match_the_reference_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    All::new(&[0, 300, 310], true, [2, 1, 32]).check();
}

#[test]
fn queries_after_a_cache_match_the_reference_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for (queries, keys) in [([0, 1, 3], [0, 40, 43]), ([0, 33, 35], [0, 97, 99])] {
        for causal in [false, true] {
            let mut case = All::new(&[0, 1], causal, [4, 2, 6]);
            case.0.problem = AttentionProblem {
                query_starts: queries.into(),
                key_starts: keys.into(),
                ..case.0.problem
            };
            case.check();
        }
    }
}

#[test]
fn no_segments_give_nothing_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = All::new(&[0], true, [2, 1, 4]);
    assert!(values(&case, &case.inputs()).concat().is_empty());
}

#[test]
fn a_nan_stays_in_its_document_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = All::new(&[0, 40, 80], false, [1, 1, 4]);
    let mut inputs = case.inputs();
    inputs[1][0] = f64::NAN;
    for part in &values(&case, &inputs)[..4] {
        let (own, other) = part.split_at(40 * 4);
        assert!(own.iter().any(|x| x.is_nan()) && other.iter().all(|x| x.is_finite()));
    }
    assert!(values(&case, &inputs)[0][..160].iter().all(|x| x.is_nan()));
}

#[test]
fn scores_beyond_the_range_of_the_exponential_give_the_best_key_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = Attention::packed(&[0, 2], false, [1, 1, 1]);
    let inputs = [vec![1e4, 1e4], vec![1.0, -1.0], vec![3.0, 5.0]];
    assert_eq!(values(&case, &inputs), [vec![3.0, 3.0]]);
}

#[test]
fn mixed_precision_errs_no_more_than_its_roundings_do_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let full = All::new(&[0, 40, 49], true, [2, 1, 8]);
    let mut mixed = All::new(&[0, 40, 49], true, [2, 1, 8]);
    mixed.0.problem.precision = Precision::Bf16Mixed;
    let inputs = full.inputs();
    let (exact, got) = (values(&full, &inputs), values(&mixed, &inputs));
    for (exact, got) in exact.iter().zip(&got) {
        assert_ne!(exact, got, "the operands were rounded");
    }
    for (exact, got) in exact.iter().zip(&got).take(4) {
        let largest = exact.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        // Each of at most five rounded factors is off by 2^-9, a rounded score of at most eight
        // moves its weight by eight times that, and the sizes of the terms of a sum exceed the
        // largest sum at most fourfold here.
        let allowed = (5.0 + SPREAD) * 4.0 * 2f64.powi(-9) * largest;
        assert_within(got, exact, |_| allowed);
    }
}

#[test]
fn attention_differentiates_through_autodiff_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = All::new(&[0, 20, 53], true, [4, 2, 8]);
    check_gradients(&case.0, &case.0.inputs(), looser_ulps());
}
