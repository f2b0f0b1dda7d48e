//! Rows and sums of rows against plain loops, and that each is the other's adjoint.

use burn::tensor::Tensor;

use super::{RowIndex, reference};
use crate::Kernels;
use crate::families::refusals_tests::Refusal;
use crate::families::rows;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, numbers, values,
    values_with_threads,
};

pub(super) struct Gather {
    pub(super) index: RowIndex,
    pub(super) width: usize,
}

pub(super) struct Sum {
    pub(super) index: RowIndex,
    pub(super) width: usize,
}

impl Case for Gather {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape([self.index.num_rows(), self.width]);
        rows::gather_rows(x, &self.index).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape([self.index.num_rows(), self.width]);
        reference::gather(x, &self.index).flatten(0, 1)
    }
}

impl Case for Sum {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape([self.index.num_items(), self.width]);
        rows::sum_rows(x, &self.index).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape([self.index.num_items(), self.width]);
        reference::sum(x, &self.index).flatten(0, 1)
    }
}

/// Unsorted, with a repeated row and rows that nothing names.
pub(super) const ROWS: [u32; 6] = [3, 0, 3, 1, 0, 3];
pub(super) const NUM_ROWS: usize = 5;

pub(super) fn index() -> RowIndex {
    RowIndex::new(&ROWS, NUM_ROWS)
}

#[test]
fn the_items_of_every_row_are_listed_once_and_ascend() {
    let index = index();
    let items: Vec<&[u32]> = (0..NUM_ROWS).map(|row| index.items_of(row)).collect();
    assert_eq!(items, [&[1, 4][..], &[3], &[], &[0, 2, 5], &[]]);
}

#[test]
fn rows_are_copied_bit_for_bit() {
    let x = numbers(NUM_ROWS * 3, 1);
    let want: Vec<f64> = ROWS.iter().flat_map(|&row| x[row as usize * 3..][..3].to_vec()).collect();
    let (got32, got64) = values(&Gather { index: index(), width: 3 }, &[x]);
    assert_eq!(got32, want);
    assert_eq!(got64, want);
}

fn plain<T: Real>(x: &[T]) -> Vec<T> {
    let mut out = vec![T::of(0.0); NUM_ROWS * 3];
    for (item, &row) in ROWS.iter().enumerate() {
        for column in 0..3 {
            let at = row as usize * 3 + column;
            out[at] = out[at] + x[item * 3 + column];
        }
    }
    out
}

#[test]
fn sums_match_plain_loops() {
    let x = numbers(ROWS.len() * 3, 1);
    let (plain32, plain64) = (plain(&cast::<f32>(&x)), plain(&cast::<f64>(&x)));
    let case = Sum { index: index(), width: 3 };
    let (got32, got64) = values(&case, std::slice::from_ref(&x));
    assert_both(&got32, &got64, &plain32, &plain64);
    check_values(&case, &[x]);
}

#[test]
fn each_is_the_adjoint_of_the_other() {
    check_gradient(&Gather { index: index(), width: 2 }, &[numbers(NUM_ROWS * 2, 1)]);
    check_gradient(&Sum { index: index(), width: 2 }, &[numbers(ROWS.len() * 2, 1)]);
}

#[test]
fn no_items_give_zero_rows_and_no_rows_give_nothing() {
    let none = |rows| RowIndex::new(&[], rows);
    assert_eq!(values(&Sum { index: none(2), width: 3 }, &[vec![]]).0, [0.0; 6]);
    assert!(values(&Sum { index: none(0), width: 3 }, &[vec![]]).0.is_empty());
    assert!(values(&Gather { index: none(2), width: 3 }, &[numbers(6, 1)]).1.is_empty());
    assert!(values(&Gather { index: none(0), width: 3 }, &[vec![]]).1.is_empty());
    check_values(&Sum { index: none(2), width: 3 }, &[vec![]]);
    check_values(&Gather { index: none(2), width: 3 }, &[numbers(6, 1)]);
}

#[test]
fn a_nan_spoils_its_own_row_only() {
    let mut x = numbers(ROWS.len(), 1);
    x[3] = f64::NAN;
    let got = values(&Sum { index: index(), width: 1 }, &[x]).0;
    let nan: Vec<bool> = got.iter().map(|x| x.is_nan()).collect();
    assert_eq!(nan, [false, true, false, false, false]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    let rows: Vec<u32> = (0..9000u32).map(|item| item * 7 % 500).collect();
    let case = Sum { index: RowIndex::new(&rows, 500), width: 5 };
    let x = [numbers(rows.len() * 5, 1)];
    assert_eq!(values_with_threads(&case, &x, 1), values_with_threads(&case, &x, 3));
}

#[test]
#[should_panic(expected = "item 1 names row 4 but there are 4 rows")]
fn a_row_that_does_not_exist_is_refused() {
    let _ = RowIndex::new(&[0, 4], 4);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    let index = || RowIndex::new(&[0, 1], 2);
    vec![
        refusal("gather_rows: `x` is [3] but must be [2]", move || {
            rows::gather_rows(zeros([3, 2]), &index())
        }),
        refusal("sum_rows: `x` is [3] but must be [2]", move || {
            rows::sum_rows(zeros([3, 2]), &index())
        }),
    ]
}
