//! The lookup and the order of its sums.

use burn::tensor::{DType, Tensor};

use super::reference;
use crate::families::embedding;
use crate::families::refusals_tests::Refusal;
use crate::testing::{Case, check_gradient, host, ints, numbers, shaped, values};
use crate::{Cpu, Kernels};

pub(super) struct Embedding {
    pub(super) ids: Vec<i32>,
    pub(super) sizes: [usize; 2],
}

impl Case for Embedding {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let weight = inputs[0].clone().reshape(self.sizes);
        embedding::embedding(weight, ints::<B>(&self.ids)).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let weight = inputs[0].clone().reshape(self.sizes);
        reference::forward(weight, ints::<B>(&self.ids)).flatten(0, 1)
    }
}

#[test]
fn each_token_gets_the_row_of_its_id() {
    let table = numbers(12, 1);
    let case = Embedding { ids: vec![3, 0, 3], sizes: [4, 3] };
    let (got32, got64) = values(&case, std::slice::from_ref(&table));
    let want = [&table[9..12], &table[0..3], &table[9..12]].concat();
    assert_eq!((got32, got64), (want.clone(), want));
}

#[test]
fn the_backward_is_the_derivative_with_repeated_and_missing_ids() {
    check_gradient(&Embedding { ids: vec![2, 2, 0, 2], sizes: [4, 3] }, &[numbers(12, 1)]);
    check_gradient(&Embedding { ids: vec![0], sizes: [1, 2] }, &[numbers(2, 1)]);
}

#[test]
fn gradients_of_one_row_are_added_in_token_order() {
    // (1 + 2^-24) + 2^-24 stays 1 in f32, 2^-24 + 2^-24 + 1 does not.
    let tiny = 2f64.powi(-24);
    let sum = |values: [f64; 3]| {
        let grad = shaped::<Cpu, 2>(&values, [3, 1], DType::F32);
        host(embedding::embedding_backward(grad, ints::<Cpu>(&[1, 1, 1]), 2))
    };
    assert_eq!(sum([1.0, tiny, tiny]), [0.0, 1.0]);
    assert_eq!(sum([tiny, tiny, 1.0]), [0.0, 1.0 + 2.0 * tiny]);
}

#[test]
#[should_panic(expected = "embedding: `ids[1]` is 4 but the table has 4 rows")]
fn an_id_beyond_the_table_is_named() {
    values(&Embedding { ids: vec![3, 4], sizes: [4, 3] }, &[numbers(12, 1)]);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{any_shape, refusal, zeros};
    vec![
        refusal("embedding_backward: `ids` is [2] but must be [3]", || {
            embedding::embedding_backward(zeros([3, 2]), ints(&[0, 1]), 4)
        }),
        any_shape("embedding"),
    ]
}
