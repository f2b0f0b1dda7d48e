//! Linear cross entropy against plain loops, with every kind of label.

use burn::tensor::{DType, Tensor};

use super::{IGNORED_LABEL, LossAndGradients, reference};
use crate::families::cross_entropy;
use crate::families::refusals_tests::Refusal;
use crate::oracle::assert_within;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, flat, host, ints, numbers, registered_gradient,
    values,
};
use crate::{Cpu, Kernels, Precision};

pub(super) struct CrossEntropy {
    /// N, C, V
    pub(super) sizes: [usize; 3],
    pub(super) labels: Vec<i32>,
    pub(super) bias: bool,
    pub(super) precision: Precision,
}

pub(super) type Arguments<B> = (Tensor<B, 2>, Tensor<B, 2>, Option<Tensor<B, 1>>);

impl CrossEntropy {
    pub(super) fn new(sizes: [usize; 3], labels: &[i32], bias: bool) -> Self {
        Self { sizes, labels: labels.to_vec(), bias, precision: Precision::Full }
    }

    pub(super) fn inputs(&self) -> Vec<Vec<f64>> {
        let [n, c, v] = self.sizes;
        let mut inputs = vec![numbers(n * c, 1), numbers(v * c, 2)];
        if self.bias {
            inputs.push(numbers(v, 3));
        }
        inputs
    }

    pub(super) fn arguments<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Arguments<B> {
        let [n, c, v] = self.sizes;
        let bias = inputs.get(2).cloned();
        (inputs[0].clone().reshape([n, c]), inputs[1].clone().reshape([v, c]), bias)
    }

    /// `[loss, lse...]`; the log-sum-exp without any shift, which small logits allow.
    fn plain<T: Real>(&self) -> Vec<T> {
        let [n, c, v] = self.sizes;
        let inputs: Vec<Vec<T>> = self.inputs().iter().map(|x| cast(x)).collect();
        let zero = T::of(0.0);
        let bias = |at: usize| inputs.get(2).map_or(zero, |bias| bias[at]);
        let logit = |row: usize, at: usize| -> T {
            let product = |i: usize| inputs[0][row * c + i] * inputs[1][at * c + i];
            (0..c).map(product).sum::<T>() + bias(at)
        };
        let (mut loss, mut lses) = (zero, vec![]);
        for row in 0..n {
            let Ok(label) = usize::try_from(self.labels[row]) else {
                lses.push(zero);
                continue;
            };
            let lse = (0..v).map(|at| logit(row, at).exp()).sum::<T>().ln();
            loss = loss + lse - logit(row, label);
            lses.push(lse);
        }
        [vec![loss], lses].concat()
    }

    fn both<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (hidden, weight, bias) = self.arguments(inputs);
        let labels = ints::<B>(&self.labels);
        let (loss, lse) =
            cross_entropy::linear_cross_entropy(hidden, weight, bias, labels, self.precision);
        Tensor::cat(vec![loss, lse], 0)
    }
}

/// The loss alone: the log-sum-exp carries no gradient.
impl Case for CrossEntropy {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        self.both(inputs).narrow(0, 0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (hidden, weight, bias) = self.arguments(inputs);
        reference::forward(hidden, weight, bias, &ints::<B>(&self.labels), self.precision).0
    }
}

/// Loss and log-sum-exp, for values.
struct WithNormaliser<'a>(&'a CrossEntropy);

impl Case for WithNormaliser<'_> {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        self.0.both(inputs)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        self.0.both(inputs)
    }
}

#[test]
fn loss_and_normaliser_match_plain_loops() {
    for bias in [false, true] {
        for case in [
            CrossEntropy::new([5, 4, 7], &[6, 0, 3, 3, 1], bias),
            CrossEntropy::new([4, 3, 5], &[-100, 2, -100, 4], bias),
            CrossEntropy::new([1, 2, 3], &[1], bias),
        ] {
            let (got32, got64) = values(&WithNormaliser(&case), &case.inputs());
            assert_both(&got32, &got64, &case.plain::<f32>(), &case.plain::<f64>());
        }
    }
}

#[test]
fn the_backward_is_the_derivative_with_and_without_labels_and_bias() {
    for bias in [false, true] {
        for case in [
            CrossEntropy::new([3, 2, 4], &[3, 0, 3], bias),
            CrossEntropy::new([3, 2, 4], &[-100, 2, -100], bias),
        ] {
            check_gradient(&case, &case.inputs());
        }
    }
}

#[test]
fn without_any_label_loss_and_gradients_are_zero() {
    let case = CrossEntropy::new([2, 3, 4], &[-100, -100], true);
    let (got, _) = values(&WithNormaliser(&case), &case.inputs());
    assert_eq!(got, [0.0; 3]);
    assert!(registered_gradient(&case, &case.inputs()).iter().all(|x| x.abs().to_bits() == 0));
}

#[test]
fn what_an_ignored_row_holds_has_no_influence() {
    let case = CrossEntropy::new([2, 2, 3], &[-100, 1], false);
    let clean = registered_gradient(&case, &case.inputs());
    let mut dirty = case.inputs();
    dirty[0][0] = f64::NAN;
    let (got, exact) = (values(&case, &dirty), values(&case, &case.inputs()));
    assert_eq!(got, exact);
    assert_eq!(registered_gradient(&case, &dirty), clean);
}

#[test]
fn a_nan_in_a_labelled_row_reaches_the_loss() {
    let case = CrossEntropy::new([2, 2, 3], &[0, 1], false);
    let mut inputs = case.inputs();
    inputs[0][0] = f64::NAN;
    assert!(values(&case, &inputs).0[0].is_nan());
}

#[test]
fn huge_logits_neither_overflow_nor_lose_the_answer() {
    let case = CrossEntropy::new([1, 1, 2], &[1], false);
    // Logits 1e4 and -1e4: the loss is their distance.
    let (got, _) = values(&case, &[vec![100.0], vec![100.0, -100.0]]);
    assert_within(&got, &[2e4], |_| 0.0);
}

#[test]
fn many_chunks_give_the_loss_of_one_row_times_the_rows() {
    // 262 144 classes leave 64 rows a chunk; 70 equal rows need two chunks.
    let (rows, classes) = (70, 262_144);
    let case = CrossEntropy::new([rows, 1, classes], &[5; 70], false);
    let (got, _) = values(&case, &[vec![0.0; rows], vec![1.0; classes]]);
    let exact = rows as f64 * (classes as f64).ln();
    // Equal terms: a sum over classes that is exact, a logarithm, and 70 additions.
    assert_within(&got, &[exact], |_| 72.0 * f64::from(f32::EPSILON) * exact);
}

#[test]
#[should_panic(expected = "linear_cross_entropy: `labels[1]` is 4 but the vocabulary has 4 rows")]
fn a_label_beyond_the_vocabulary_is_named() {
    let case = CrossEntropy::new([2, 3, 4], &[0, 4], false);
    values(&case, &case.inputs());
}

#[test]
fn the_ignored_label_is_that_of_the_data() {
    assert_eq!(IGNORED_LABEL, -100);
}

/// Several blocks of rows, ragged sizes, rows without a label; mixed in f64, where rounded operands
/// have exact products, so that both sides differ by the order of sums alone.
#[test]
fn loss_and_gradients_are_those_of_the_reference() {
    let sizes = [500, 21, 67];
    let labels: Vec<i32> =
        (0..500).map(|at| if at % 5 == 2 { -100 } else { at * 7 % 67 }).collect();
    for precision in [Precision::Full, Precision::Bf16Mixed] {
        let case = CrossEntropy { precision, ..CrossEntropy::new(sizes, &labels, true) };
        let inputs: Vec<_> =
            case.inputs().iter().map(|values| flat::<Cpu>(values, DType::F64)).collect();
        let (hidden, weight, bias) = case.arguments(&inputs);
        let labels = ints::<Cpu>(&labels);
        let want = reference::with_gradients(
            hidden.clone(),
            weight.clone(),
            bias.clone(),
            &labels,
            precision,
        );
        let got =
            cross_entropy::linear_cross_entropy_gradients(hidden, weight, bias, labels, precision);
        let all = |found: LossAndGradients<Cpu>| {
            let bias = host(found.bias.expect("there is a bias"));
            let of_rows = [host(found.hidden), host(found.log_sum_exp)].concat();
            [host(found.loss), of_rows, host(found.weight), bias].concat()
        };
        // 400 terms of size one. Mixed: a gradient of a logit, below one, may round to the other
        // neighbour in bf16, which few do.
        let spacing = if precision == Precision::Full { f64::EPSILON } else { 2f64.powi(-13) };
        let (got, want) = (all(got), all(want));
        assert_within(&got[..1], &want[..1], |_| 1e3 * f64::EPSILON * want[0]);
        assert_within(&got[1..], &want[1..], |_| 400.0 * spacing);
    }
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    const FULL: Precision = Precision::Full;
    vec![
        refusal("linear_cross_entropy: `weight` is [5, 4] but must be [5, 2]", || {
            cross_entropy::linear_cross_entropy(
                zeros([3, 2]),
                zeros([5, 4]),
                None,
                ints(&[0, 1, 2]),
                FULL,
            )
        }),
        refusal("linear_cross_entropy_gradients: `labels` is [2] but must be [3]", || {
            let (hidden, weight) = (zeros([3, 2]), zeros([5, 2]));
            cross_entropy::linear_cross_entropy_gradients(hidden, weight, None, ints(&[0, 1]), FULL)
        }),
        refusal("scale_by: `factor` is [2] but must be [1]", || {
            cross_entropy::scale_by(zeros([3, 2]), zeros([2]))
        }),
    ]
}
