//! Both normalisations against plain loops.

use burn::tensor::{DType, Tensor};

use super::reference;
use crate::families::norm;
use crate::families::refusals_tests::Refusal;
use crate::oracle::assert_within;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, host, numbers,
    registered_gradient, shaped, values, values_with_threads,
};
use crate::{Cpu, Kernels};

pub(super) const EPSILON: f64 = 1e-5;

pub(super) struct RmsNorm {
    pub(super) sizes: [usize; 2],
}

pub(super) struct LayerNorm {
    pub(super) sizes: [usize; 2],
}

impl Case for RmsNorm {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape(self.sizes);
        norm::rms_norm(x, inputs[1].clone(), EPSILON).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape(self.sizes);
        reference::rms_norm(x, inputs[1].clone(), EPSILON).flatten(0, 1)
    }
}

impl Case for LayerNorm {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape(self.sizes);
        let (w, b) = (inputs[1].clone(), inputs[2].clone());
        norm::layer_norm(x, w, b, EPSILON).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape(self.sizes);
        let (w, b) = (inputs[1].clone(), inputs[2].clone());
        reference::layer_norm(x, w, b, EPSILON).flatten(0, 1)
    }
}

pub(super) fn inputs([tokens, width]: [usize; 2]) -> Vec<Vec<f64>> {
    vec![numbers(tokens * width, 1), numbers(width, 2), numbers(width, 3)]
}

fn mean<T: Real>(row: impl ExactSizeIterator<Item = T>) -> T {
    let count = T::of(row.len() as f64);
    row.sum::<T>() / count
}

fn plain_rms<T: Real>([_, width]: [usize; 2], inputs: &[Vec<f64>]) -> Vec<T> {
    let [x, w] = [0, 1].map(|at| cast::<T>(&inputs[at]));
    let row = |row: &[T]| -> Vec<T> {
        let root = (mean(row.iter().map(|&x| x * x)) + T::of(EPSILON)).sqrt();
        row.iter().zip(&w).map(|(&x, &w)| w * x / root).collect()
    };
    x.chunks(width).flat_map(row).collect()
}

fn plain_layer<T: Real>([_, width]: [usize; 2], inputs: &[Vec<f64>]) -> Vec<T> {
    let [x, w, b] = [0, 1, 2].map(|at| cast::<T>(&inputs[at]));
    let row = |row: &[T]| -> Vec<T> {
        let centre = mean(row.iter().copied());
        let square = |&x: &T| (x - centre) * (x - centre);
        let root = (mean(row.iter().map(square)) + T::of(EPSILON)).sqrt();
        let affine = |((&x, &w), &b)| w * (x - centre) / root + b;
        row.iter().zip(&w).zip(&b).map(affine).collect()
    };
    x.chunks(width).flat_map(row).collect()
}

#[test]
fn rms_norm_matches_plain_loops() {
    for sizes in [[5, 7], [1, 1], [2, 33]] {
        let (got32, got64) = values(&RmsNorm { sizes }, &inputs(sizes)[..2]);
        let inputs = inputs(sizes);
        assert_both(
            &got32,
            &got64,
            &plain_rms::<f32>(sizes, &inputs),
            &plain_rms::<f64>(sizes, &inputs),
        );
    }
}

#[test]
fn layer_norm_matches_plain_loops() {
    for sizes in [[5, 7], [1, 2], [2, 33]] {
        let (got32, got64) = values(&LayerNorm { sizes }, &inputs(sizes));
        let inputs = inputs(sizes);
        assert_both(
            &got32,
            &got64,
            &plain_layer::<f32>(sizes, &inputs),
            &plain_layer::<f64>(sizes, &inputs),
        );
    }
}

#[test]
fn the_rms_norm_backward_is_the_derivative() {
    check_gradient(&RmsNorm { sizes: [3, 4] }, &inputs([3, 4])[..2]);
    check_gradient(&RmsNorm { sizes: [1, 2] }, &inputs([1, 2])[..2]);
}

#[test]
fn the_layer_norm_backward_is_the_derivative() {
    check_gradient(&LayerNorm { sizes: [3, 4] }, &inputs([3, 4]));
    check_gradient(&LayerNorm { sizes: [1, 3] }, &inputs([1, 3]));
}

#[test]
fn a_row_of_equal_values_becomes_the_bias() {
    let all = vec![vec![0.5; 4], numbers(4, 2), numbers(4, 3)];
    let (_, got) = values(&LayerNorm { sizes: [1, 4] }, &all);
    assert_eq!(got, all[2]);
}

#[test]
fn a_nan_spoils_its_own_row_only() {
    let mut all = inputs([2, 3]);
    all[0][1] = f64::NAN;
    for got in [
        values(&RmsNorm { sizes: [2, 3] }, &all[..2]).0,
        values(&LayerNorm { sizes: [2, 3] }, &all).0,
    ] {
        let nan: Vec<bool> = got.iter().map(|x| x.is_nan()).collect();
        assert_eq!(nan, [true, true, true, false, false, false]);
    }
}

/// More rows than three blocks hold, and a width that is no multiple of a register.
const LONG: [usize; 2] = [700, 75];

#[test]
fn many_rows_match_the_reference_on_any_number_of_threads() {
    let all = inputs(LONG);
    check_values(&RmsNorm { sizes: LONG }, &all[..2]);
    check_values(&LayerNorm { sizes: LONG }, &all);
    let case = LayerNorm { sizes: LONG };
    assert_eq!(values_with_threads(&case, &all, 1), values_with_threads(&case, &all, 3));
}

#[test]
fn gradients_of_many_rows_are_those_of_the_reference() {
    let all = inputs(LONG);
    let got = registered_gradient(&LayerNorm { sizes: LONG }, &all);
    let grad = numbers(LONG[0] * LONG[1], 77);
    let [grad, x] = [&grad, &all[0]].map(|values| shaped::<Cpu, 2>(values, LONG, DType::F64));
    let weight = shaped::<Cpu, 1>(&all[1], [LONG[1]], DType::F64);
    let (dx, dweight, dbias) = reference::layer_norm_backward(grad, x, weight, EPSILON);
    let want = [host(dx), host(dweight), host(dbias)].concat();
    // Sums of 700 rows of numbers of size one, in another order.
    assert_within(&got, &want, |_| 1e3 * f64::EPSILON * 700_f64.sqrt());
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    vec![
        refusal("rms_norm: `weight` is [2] but must be [3]", || {
            norm::rms_norm(zeros([2, 3]), zeros([2]), 1e-5)
        }),
        refusal("rms_norm_backward: `grad` is [2, 2] but must be [2, 3]", || {
            norm::rms_norm_backward(zeros([2, 2]), zeros([2, 3]), zeros([3]), 1e-5)
        }),
        refusal("layer_norm: `bias` is [2] but must be [3]", || {
            norm::layer_norm(zeros([2, 3]), zeros([3]), zeros([2]), 1e-5)
        }),
        refusal("layer_norm_backward: `grad` is [2, 2] but must be [2, 3]", || {
            norm::layer_norm_backward(zeros([2, 2]), zeros([2, 3]), zeros([3]), 1e-5)
        }),
    ]
}
