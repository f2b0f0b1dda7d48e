//! `cross_entropy.cu` and its products on the emulator against the reference.

use burn::tensor::{DType, Tensor};

use super::super::reference;
use super::{Inputs, run};
use crate::machine::cuda::Element;
use crate::machine::cuda::emulator::{Emulator, GuardedArray};
use crate::oracle::{Oracle, assert_within, ulp};
use crate::testing::{FEW_VALUES_SLACK, flat, host, ints, numbers};
use crate::{Cpu, Precision};

struct Problem {
    /// N, C, V
    sizes: [usize; 3],
    labels: Vec<i32>,
    bias: bool,
    precision: Precision,
    hidden: Vec<f64>,
}

/// Names of what a problem gives, for messages.
const RESULTS: [&str; 5] = ["loss", "log-sum-exp", "hidden", "weight", "bias"];

impl Problem {
    fn new(sizes: [usize; 3], labels: &[i32], bias: bool, precision: Precision) -> Self {
        let hidden = numbers(sizes[0] * sizes[1], 1);
        Self { sizes, labels: labels.to_vec(), bias, precision, hidden }
    }

    /// Most rows with a label, and some without.
    fn labelled(sizes: [usize; 3], bias: bool, precision: Precision) -> Self {
        let label = |at: usize| {
            if at % 4 == 2 { -100 } else { i32::try_from(at * 7 % sizes[2]).expect("small") }
        };
        Self::new(sizes, &(0..sizes[0]).map(label).collect::<Vec<_>>(), bias, precision)
    }

    /// Terms of the sums that a result is made of. They are added one after the other here and side by
    /// side in the reference; each addition rounds a sum of size one.
    fn terms(&self, result: usize) -> f64 {
        let [rows, _, classes] = self.sizes;
        [rows, 0, classes, rows, rows][result] as f64
    }

    fn parameters(&self) -> [Vec<f64>; 2] {
        let [_, c, v] = self.sizes;
        [numbers(v * c, 2), numbers(v, 3)]
    }

    /// Loss, log-sum-exp, gradients of hidden states, weight and bias.
    fn emulated(&self, machine: &Emulator, element: Element, chunk: usize) -> Vec<Vec<f64>> {
        let [weight, bias] = self.parameters().map(|values| machine.array_of(element, &values));
        let labels: Vec<f64> = self.labels.iter().map(|&label| f64::from(label)).collect();
        let inputs = Inputs {
            hidden: &machine.array_of(element, &self.hidden),
            weight: &weight,
            bias: self.bias.then_some(&bias),
            labels: &machine.array_of(Element::I32, &labels),
            sizes: [self.sizes[1], self.sizes[2]],
            precision: self.precision,
        };
        let (loss, lse, _) = run(machine, &inputs, chunk, false);
        let (same_loss, same_lse, found) = run(machine, &inputs, chunk, true);
        let both = |a: &GuardedArray, b: &GuardedArray| {
            let bits =
                |x: &GuardedArray| x.values().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(a), bits(b), "with and without gradients");
        };
        both(&loss, &same_loss);
        both(&lse, &same_lse);
        let mut results = vec![loss, lse, found.hidden, found.weight];
        results.extend(found.bias);
        results.iter().map(GuardedArray::values).collect()
    }

    fn reference(&self, dtype: DType) -> Vec<Vec<f64>> {
        let [n, c, v] = self.sizes;
        let [weight, bias] = self.parameters().map(|values| flat::<Cpu>(&values, dtype));
        let hidden = flat::<Cpu>(&self.hidden, dtype).reshape([n, c]);
        let bias: Option<Tensor<Cpu, 1>> = self.bias.then_some(bias);
        let labels = ints::<Cpu>(&self.labels);
        let found = reference::with_gradients(
            hidden,
            weight.reshape([v, c]),
            bias,
            &labels,
            self.precision,
        );
        let mut results = vec![host(found.loss), host(found.log_sum_exp), host(found.hidden)];
        results.push(host(found.weight));
        results.extend(found.bias.map(host));
        results
    }
}

const EPSILONS: [(Element, f64); 2] =
    [(Element::F32, 1.0 / 8_388_608.0), (Element::F64, f64::EPSILON)];

/// What the reference errs in f32, carried over to the spacing of the type, with the slack of few values.
fn tolerance(exact: &[f64], narrow: &[f64], epsilon: f64) -> f64 {
    let ratio = epsilon / f64::from(f32::EPSILON);
    let scaled: Vec<f64> = exact.iter().zip(narrow).map(|(e, n)| e + (n - e) * ratio).collect();
    let largest = exact.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let oracle = Oracle { exact, same_precision: &scaled, epsilon };
    // Half a spacing is what storing a result can always cost, whatever the few values here say.
    FEW_VALUES_SLACK * oracle.natural_error().max(0.5 * ulp(largest, epsilon))
        + ulp(largest, epsilon)
}

#[test]
fn emulated_losses_and_gradients_match_the_reference_in_full_precision() {
    let Some(machine) = Emulator::find() else { return };
    // Classes around a pack, a warp and a block of threads; the last but one has one class.
    for (sizes, chunk) in [
        ([5, 4, 7], 64),
        ([9, 3, 33], 4),
        ([300, 2, 5], 290),
        ([2, 1, 1], 1),
        ([3, 2, 1030], 2),
        ([3, 2, 2051], 8),
    ] {
        for bias in [false, true] {
            let problem = Problem::labelled(sizes, bias, Precision::Full);
            let (narrow, want) = (problem.reference(DType::F32), problem.reference(DType::F64));
            for (element, epsilon) in EPSILONS {
                let got = problem.emulated(&machine, element, chunk);
                for at in 0..want.len() {
                    println!("{sizes:?} {element:?} {}", RESULTS[at]);
                    let sums = problem.terms(at) * epsilon;
                    let allowed = tolerance(&want[at], &narrow[at], epsilon) + sums;
                    assert_within(&got[at], &want[at], |_| allowed);
                }
            }
        }
    }
}

/// The reference in f64 has exact products of rounded operands. Ours differ by sums in f32, and by
/// gradients of logits, below one, that round to the other neighbour in bf16, 2^-8 away: one in
/// thousands, so at most one in any sum here, times a number below one.
#[test]
fn emulated_mixed_losses_and_gradients_match_the_mixed_reference() {
    let Some(machine) = Emulator::find() else { return };
    for (sizes, chunk) in [([5, 4, 7], 64), ([41, 9, 33], 16), ([3, 2, 1030], 2)] {
        for bias in [false, true] {
            let problem = Problem::labelled(sizes, bias, Precision::Bf16Mixed);
            let want = problem.reference(DType::F64);
            let narrow = problem.reference(DType::F32);
            for (element, epsilon) in EPSILONS {
                let got = problem.emulated(&machine, element, chunk);
                for at in 0..want.len() {
                    println!("{sizes:?} {element:?} {}", RESULTS[at]);
                    let flip = if at == 2 || at == 3 { 2f64.powi(-8) } else { 0.0 };
                    let sums = problem.terms(at) * epsilon;
                    let allowed = tolerance(&want[at], &narrow[at], epsilon) + sums + flip;
                    assert_within(&got[at], &want[at], |_| allowed);
                }
            }
        }
    }
}

#[test]
fn without_labels_or_rows_everything_emulated_is_zero() {
    let Some(machine) = Emulator::find() else { return };
    for labels in [&[-100, -100][..], &[]] {
        let problem = Problem::new([labels.len(), 3, 4], labels, true, Precision::Full);
        let got = problem.emulated(&machine, Element::F32, 64).concat();
        assert_eq!(got.len(), 1 + labels.len() * 4 + 12 + 4);
        assert!(got.iter().all(|x| x.abs().to_bits() == 0), "{got:?}");
    }
}

#[test]
fn what_an_emulated_row_without_a_label_holds_has_no_influence() {
    let Some(machine) = Emulator::find() else { return };
    for precision in [Precision::Full, Precision::Bf16Mixed] {
        let clean = Problem::new([3, 2, 5], &[-100, 1, 4], true, precision);
        let mut dirty = Problem::new([3, 2, 5], &[-100, 1, 4], true, precision);
        dirty.hidden[0] = f64::NAN;
        let run = |problem: &Problem| problem.emulated(&machine, Element::F32, 2);
        assert_eq!(run(&clean), run(&dirty));
    }
}

#[test]
fn a_nan_in_an_emulated_row_and_a_label_that_is_no_class_reach_the_loss() {
    let Some(machine) = Emulator::find() else { return };
    let mut problem = Problem::new([2, 2, 3], &[0, 1], false, Precision::Full);
    problem.hidden[0] = f64::NAN;
    let wrong_label = Problem::new([2, 2, 3], &[0, 3], false, Precision::Full);
    for problem in [problem, wrong_label] {
        let got = problem.emulated(&machine, Element::F32, 64);
        assert!(got[0][0].is_nan() && got[3].iter().all(|x| x.is_nan()), "{got:?}");
    }
}

#[test]
fn emulated_huge_logits_neither_overflow_nor_lose_the_answer() {
    let Some(machine) = Emulator::find() else { return };
    let bias = |values: &[f64]| machine.array_of(Element::F32, values);
    let inputs = Inputs {
        hidden: &bias(&[0.0]),
        weight: &bias(&[0.0, 0.0]),
        bias: Some(&bias(&[1e4, -1e4])),
        labels: &machine.array_of(Element::I32, &[1.0]),
        sizes: [1, 2],
        precision: Precision::Full,
    };
    let (loss, _, found) = run(&machine, &inputs, 64, true);
    assert_eq!(loss.values(), [2e4]);
    assert_eq!(found.bias.expect("there is a bias").values(), [1.0, -1.0]);
}
