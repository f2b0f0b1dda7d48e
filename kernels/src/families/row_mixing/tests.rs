//! The mixing against plain loops, and its gradient.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::{MixingMatrix, RowMixing, reference};
use crate::families::refusals_tests::Refusal;
use crate::families::row_mixing;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, numbers, values,
    values_with_threads,
};
use crate::{Cpu, Kernels};

struct Mixing {
    problem: RowMixing,
    channels: usize,
    backward: bool,
}

impl Mixing {
    /// A matrix with a third of its entries zero; of three tables and more all but the second.
    fn new([t, k, channels]: [usize; 3], num_tables: usize, backward: bool) -> Self {
        let mut dense = numbers(t * k, 5);
        dense.iter_mut().skip(1).step_by(3).for_each(|value| *value = 0.0);
        let wanted = (0..num_tables).rev().filter(|&table| table != 1 || num_tables < 3);
        let mixing = RowMixing {
            matrix: Arc::new(MixingMatrix::new(&dense, k)),
            tables: wanted.collect(),
            num_tables,
        };
        Self { problem: mixing, channels, backward }
    }

    fn shape(&self) -> [usize; 3] {
        let (matrix, tables) = (&self.problem.matrix, self.problem.tables.len());
        if self.backward {
            [tables, matrix.num_rows(), self.channels]
        } else {
            [self.problem.num_tables, matrix.num_columns(), self.channels]
        }
    }

    fn inputs(&self) -> Vec<Vec<f64>> {
        vec![numbers(self.shape().iter().product(), 1)]
    }
}

impl Case for Mixing {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape(self.shape());
        let y = if self.backward {
            row_mixing::mix_rows_backward(x, &self.problem)
        } else {
            row_mixing::mix_rows(x, &self.problem)
        };
        y.flatten(0, 2)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let x = inputs[0].clone().reshape(self.shape());
        let y = if self.backward {
            reference::backward(&x, &self.problem)
        } else {
            reference::forward(&x, &self.problem)
        };
        y.flatten(0, 2)
    }
}

fn plain<T: Real>(case: &Mixing, inputs: &[Vec<f64>]) -> Vec<T> {
    let (x, channels) = (cast::<T>(&inputs[0]), case.channels);
    let [t, k] = [case.problem.matrix.num_rows(), case.problem.matrix.num_columns()];
    let outer =
        if case.backward { case.problem.num_tables * k } else { case.problem.tables.len() * t };
    let mut out = vec![T::of(0.0); outer * channels];
    for (s, &table) in case.problem.tables.iter().enumerate() {
        for (row, entries) in case.problem.matrix.rows.iter().enumerate() {
            for &(column, value) in entries {
                for c in 0..channels {
                    let weight = (table * k + column as usize) * channels + c;
                    let result = (s * t + row) * channels + c;
                    let (to, from) =
                        if case.backward { (weight, result) } else { (result, weight) };
                    out[to] = out[to] + T::of(value) * x[from];
                }
            }
        }
    }
    out
}

#[test]
fn both_directions_match_plain_loops_on_ragged_shapes() {
    for (sizes, num_tables) in [([1, 1, 1], 1), ([5, 3, 17], 2), ([94, 28, 32], 3), ([40, 7, 5], 4)]
    {
        for backward in [false, true] {
            let case = Mixing::new(sizes, num_tables, backward);
            let inputs = case.inputs();
            let (got32, got64) = values(&case, &inputs);
            let (plain32, plain64) = (plain::<f32>(&case, &inputs), plain::<f64>(&case, &inputs));
            assert_both(&got32, &got64, &plain32, &plain64);
            check_values(&case, &inputs);
        }
    }
}

#[test]
fn each_is_the_derivative_of_the_other() {
    for backward in [false, true] {
        let case = Mixing::new([3, 2, 2], 3, backward);
        check_gradient(&case, &case.inputs());
    }
}

#[test]
fn blocks_along_the_diagonal_mix_their_own_rows() {
    let blocks = [MixingMatrix::new(&[1.0, 2.0], 2), MixingMatrix::new(&[3.0, 4.0], 1)];
    let whole = MixingMatrix::new(&[1.0, 2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 4.0], 3);
    assert_eq!(MixingMatrix::block_diagonal(&blocks), whole);
    assert_eq!(whole.num_entries(), 4);
}

#[test]
fn no_wanted_tables_give_nothing_and_a_gradient_of_zero() {
    let matrix = Arc::new(MixingMatrix::new(&[1.0, 2.0], 2));
    let mixing = RowMixing { matrix, tables: [].into(), num_tables: 2 };
    let device = Device::<Cpu>::default();
    assert_eq!(
        row_mixing::mix_rows::<Cpu>(Tensor::zeros([2, 2, 3], &device), &mixing).dims(),
        [0, 1, 3]
    );
    let none = || Tensor::<Cpu, 3>::zeros([0, 1, 3], &Device::<Cpu>::default());
    assert_eq!(row_mixing::mix_rows_backward(none(), &mixing).dims(), [2, 2, 3]);
    assert_eq!(reference::backward(&none(), &mixing).dims(), [2, 2, 3]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    for backward in [false, true] {
        let case = Mixing::new([400, 120, 32], 3, backward);
        let inputs = case.inputs();
        assert_eq!(values_with_threads(&case, &inputs, 1), values_with_threads(&case, &inputs, 3));
    }
}

#[test]
#[should_panic(expected = "table 2 of 2 is wanted twice or not there")]
fn tables_that_are_not_there_are_named() {
    let matrix = Arc::new(MixingMatrix::new(&[1.0], 1));
    let mixing = RowMixing { matrix, tables: [2].into(), num_tables: 2 };
    let _ =
        row_mixing::mix_rows::<Cpu>(Tensor::zeros([2, 1, 1], &Device::<Cpu>::default()), &mixing);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    let mixing = || {
        let matrix = Arc::new(MixingMatrix::new(&[1.0, 2.0], 2));
        RowMixing { matrix, tables: [0].into(), num_tables: 1 }
    };
    vec![
        refusal("mix_rows: `weights` is [1, 3, 2] but must be [1, 2, 2]", move || {
            row_mixing::mix_rows(zeros([1, 3, 2]), &mixing())
        }),
        refusal("mix_rows_backward: `grad` is [1, 2, 2] but must be [1, 1, 2]", move || {
            row_mixing::mix_rows_backward(zeros([1, 2, 2]), &mixing())
        }),
    ]
}
