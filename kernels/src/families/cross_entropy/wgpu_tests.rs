//! Linear cross entropy on an adapter against the reference in f64.

use burn::tensor::Tensor;

use super::tests::CrossEntropy;
use super::{LossAndGradients, reference};
use crate::families::cross_entropy;
use crate::machine::wgpu::testing::{
    LOG_ULPS, Operation, adapter_is_missing, check_gradients, check_values, exp_ulps, values,
};
use crate::testing::{cast, ints, wide};
use crate::{Kernels, Precision};

/// Loss, log-sum-exp, and all gradients.
struct All(CrossEntropy);

fn parts<B: Kernels>(found: LossAndGradients<B>) -> Vec<Tensor<B, 1>> {
    let mut parts =
        vec![found.loss, found.log_sum_exp, found.hidden.flatten(0, 1), found.weight.flatten(0, 1)];
    parts.extend(found.bias);
    parts
}

impl Operation for All {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let (hidden, weight, bias) = self.0.arguments(inputs);
        let (labels, precision) = (ints::<B>(&self.0.labels), self.0.precision);
        let (loss, lse) = cross_entropy::linear_cross_entropy(
            hidden.clone(),
            weight.clone(),
            bias.clone(),
            labels.clone(),
            precision,
        );
        let found =
            cross_entropy::linear_cross_entropy_gradients(hidden, weight, bias, labels, precision);
        [vec![loss, lse], parts(found)].concat()
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let (hidden, weight, bias) = self.0.arguments(inputs);
        let labels = ints::<B>(&self.0.labels);
        let found = reference::with_gradients(hidden, weight, bias, &labels, self.0.precision);
        [vec![found.loss.clone(), found.log_sum_exp.clone()], parts(found)].concat()
    }
}

/// Logits of these inputs spread over less than this.
const SPREAD: f64 = 10.0;

/// The log-sum-exp takes an exponential and a logarithm; a gradient one more exponential of it.
fn looser_ulps() -> f64 {
    2.0 * exp_ulps(SPREAD) + LOG_ULPS
}

#[expect(clippy::unwrap_used, reason = "a function of tests")]
fn labels(tokens: usize, classes: usize) -> Vec<i32> {
    let label =
        |at: usize| if at % 5 == 2 { -100 } else { i32::try_from(at * 7 % classes).unwrap() };
    (0..tokens).map(label).collect()
}

#[test]
fn loss_and_gradients_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for bias in [false, true] {
        for sizes in [[1, 2, 3], [5, 4, 255], [6, 3, 257], [80, 21, 67], [0, 3, 4], [2, 1, 1]] {
            let case = CrossEntropy::new(sizes, &labels(sizes[0], sizes[2]), bias);
            let inputs = case.inputs();
            check_values(&All(case), &inputs, looser_ulps());
        }
    }
}

#[test]
fn two_chunks_give_the_loss_and_gradients_of_the_reference_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    // 262 144 classes leave 64 rows a chunk; 70 rows need two.
    let case = CrossEntropy::new([70, 1, 262_144], &[5; 70], true);
    let inputs = case.inputs();
    // Burn's product sums 262 144 terms in an order of its own: independent roundings grow with
    // the root of their number.
    check_values(&All(case), &inputs, looser_ulps() + 262_144_f64.sqrt());
}

#[test]
fn operands_are_rounded_in_mixed_precision_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let full = CrossEntropy::new([40, 21, 67], &labels(40, 67), true);
    // Operands that bf16 holds exactly make loss and log-sum-exp those of the full precision.
    let inputs: Vec<Vec<f64>> = full
        .inputs()
        .iter()
        .map(|x| {
            wide(
                &cast::<f32>(x)
                    .iter()
                    .map(|&x| crate::families::precision::round_f32(x))
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let mixed = CrossEntropy {
        precision: Precision::Bf16Mixed,
        ..CrossEntropy::new([40, 21, 67], &labels(40, 67), true)
    };
    let (full, mixed) = (values(&All(full), &inputs), values(&All(mixed), &inputs));
    assert_eq!(full[..4], mixed[..4]);
    assert_ne!(full[4], mixed[4], "the gradient of the logits was rounded");
    let largest = full[4].iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    // A gradient of a logit, below one, is off by at most 2^-9 of itself; 67 of them meet weights of
    // at most one.
    for (full, mixed) in full[4].iter().zip(&mixed[4]) {
        assert!((full - mixed).abs() <= 67.0 * 2f64.powi(-9) * largest.max(1.0));
    }
}

#[test]
fn without_any_label_loss_and_gradients_are_zero_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = CrossEntropy::new([2, 3, 4], &[-100, -100], true);
    let inputs = case.inputs();
    assert!(values(&All(case), &inputs).concat().iter().all(|x| x.abs().to_bits() == 0));
}

#[test]
fn a_nan_in_a_labelled_row_reaches_the_loss_and_in_an_ignored_row_does_not_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for (labels, reaches) in [([0, 1], true), ([-100, 1], false)] {
        let case = CrossEntropy::new([2, 2, 300], &labels, false);
        let mut inputs = case.inputs();
        inputs[0][0] = f64::NAN;
        assert_eq!(values(&All(case), &inputs)[0][0].is_nan(), reaches);
    }
}

#[test]
fn huge_logits_neither_overflow_nor_lose_the_answer_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = CrossEntropy::new([1, 1, 2], &[1], false);
    // Logits 1e4 and -1e4: the loss is their distance.
    assert_eq!(values(&case, &[vec![100.0], vec![100.0, -100.0]]), [vec![2e4]]);
}

#[test]
fn the_loss_differentiates_through_autodiff_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = CrossEntropy::new([40, 5, 30], &labels(40, 30), true);
    let inputs = case.inputs();
    check_gradients(&case, &inputs, looser_ulps());
}
