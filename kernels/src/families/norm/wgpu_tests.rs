//! Both normalisations on an adapter against the reference in f64.

use burn::tensor::Tensor;

use super::reference;
use super::tests::{EPSILON, LayerNorm, RmsNorm, inputs};
use crate::Kernels;
use crate::families::norm;
use crate::machine::wgpu::testing::{
    DIVISION_ULPS, INVERSE_SQRT_ULPS, Operation, adapter_is_missing, check_gradients, check_values,
    values,
};
use crate::testing::numbers;

/// A reciprocal root of a mean, and another mean.
const LOOSER_ULPS: f64 = INVERSE_SQRT_ULPS + 2.0 * DIVISION_ULPS;

/// Fewer numbers than threads, as many, one more; two orders of magnitude of rows and columns.
const SIZES: [[usize; 2]; 8] =
    [[1, 1], [5, 7], [3, 255], [2, 256], [2, 257], [65, 33], [200, 3], [2, 1030]];

struct RmsBackward {
    sizes: [usize; 2],
}

struct LayerBackward {
    sizes: [usize; 2],
}

/// x, weight, gradient
fn with_gradient(sizes: [usize; 2]) -> Vec<Vec<f64>> {
    let all = inputs(sizes);
    vec![all[0].clone(), all[1].clone(), numbers(sizes[0] * sizes[1], 4)]
}

impl Operation for RmsBackward {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [x, grad] = [0, 2].map(|at| inputs[at].clone().reshape(self.sizes));
        let (dx, dweight) = norm::rms_norm_backward(grad, x, inputs[1].clone(), EPSILON);
        vec![dx.flatten(0, 1), dweight]
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [x, grad] = [0, 2].map(|at| inputs[at].clone().reshape(self.sizes));
        let (dx, dweight) = reference::rms_norm_backward(grad, x, inputs[1].clone(), EPSILON);
        vec![dx.flatten(0, 1), dweight]
    }
}

impl Operation for LayerBackward {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [x, grad] = [0, 2].map(|at| inputs[at].clone().reshape(self.sizes));
        let (dx, dweight, dbias) = norm::layer_norm_backward(grad, x, inputs[1].clone(), EPSILON);
        vec![dx.flatten(0, 1), dweight, dbias]
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [x, grad] = [0, 2].map(|at| inputs[at].clone().reshape(self.sizes));
        let (dx, dweight, dbias) =
            reference::layer_norm_backward(grad, x, inputs[1].clone(), EPSILON);
        vec![dx.flatten(0, 1), dweight, dbias]
    }
}

#[test]
fn values_and_gradients_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for sizes in SIZES {
        check_values(&RmsNorm { sizes }, &inputs(sizes)[..2], LOOSER_ULPS);
        check_values(&LayerNorm { sizes }, &inputs(sizes), LOOSER_ULPS);
        check_values(&RmsBackward { sizes }, &with_gradient(sizes), LOOSER_ULPS);
        check_values(&LayerBackward { sizes }, &with_gradient(sizes), LOOSER_ULPS);
    }
}

#[test]
fn without_rows_the_gradients_of_weight_and_bias_are_zero_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let sizes = [0, 3];
    let found = values(&LayerBackward { sizes }, &with_gradient(sizes));
    assert_eq!(found, [vec![], vec![0.0; 3], vec![0.0; 3]]);
    assert_eq!(values(&LayerNorm { sizes }, &inputs(sizes)), [Vec::<f64>::new()]);
}

#[test]
fn a_nan_spoils_its_own_row_only_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let mut all = inputs([2, 300]);
    all[0][299] = f64::NAN;
    for got in [
        values(&RmsNorm { sizes: [2, 300] }, &all[..2]),
        values(&LayerNorm { sizes: [2, 300] }, &all),
    ] {
        assert!(got[0][..300].iter().all(|x| x.is_nan()), "the row of the NaN");
        assert!(got[0][300..].iter().all(|x| x.is_finite()), "the row without one");
    }
}

#[test]
fn both_norms_differentiate_through_autodiff_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let sizes = [70, 33];
    check_gradients(&RmsNorm { sizes }, &inputs(sizes)[..2], LOOSER_ULPS);
    check_gradients(&LayerNorm { sizes }, &inputs(sizes), LOOSER_ULPS);
}
