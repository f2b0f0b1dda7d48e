//! The whole product: blocks that fit the caches, rectangles of the result on threads.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::ahead::Ahead;
use super::form::Form;
use super::grid::Grid;
use super::matrix::{Matrix, Target};
use super::panels::{Left, Right};
use super::tile::{Finish, multiply};
use crate::cpu::{Arithmetic, Job, Set};

/// Bytes of a packed block of the right operand: most of an L2 cache of 1 MiB.
const RIGHT_BYTES: usize = 640 * 1024;

/// Panels of the left operand that are packed together where its rows lie side by side: 14 rows of f32
/// are less than a line of the cache, 112 are seven, and 8 packed panels fit L2 beside the right block.
const PANELS: usize = 8;

/// `target = left right + bias`, or added to what the target holds.
///
/// # Panics
/// When the shapes differ.
pub(crate) fn product<F: Form>(
    left: Matrix<'_, F::Number>,
    right: Matrix<'_, F::Number>,
    target: &mut Target<'_, F::Number>,
    finish: Finish<'_, F::Number>,
) {
    let (shape, terms) = ([left.rows(), right.columns()], left.columns());
    assert!(terms == right.rows(), "operands of one product");
    assert!([target.rows(), target.columns()] == shape, "shape of the target");
    let grid = Grid::new(shape, terms, F::tile(), rayon::current_num_threads());
    let run_part = |number| {
        let (rows, columns) = grid.part(number);
        let part = Part::<F> {
            left: left.block(rows.clone(), 0..terms),
            right: right.block(0..terms, columns.clone()),
            // SAFETY: the parts of a grid do not overlap.
            target: unsafe { target.part(rows.clone(), columns.clone()) },
            add: finish.add,
            bias: finish.bias.map(|bias| &bias[columns.clone()]),
            residual: finish.residual.map(|residual| residual.block(rows, columns)),
            form: PhantomData,
        };
        F::run(part);
    };
    if grid.len() == 1 {
        run_part(0);
    } else {
        (0..grid.len()).into_par_iter().with_max_len(1).for_each(run_part);
    }
}

/// A rectangle of the result, on one thread.
struct Part<'a, F: Form> {
    left: Matrix<'a, F::Number>,
    right: Matrix<'a, F::Number>,
    target: Target<'a, F::Number>,
    add: bool,
    bias: Option<&'a [F::Number]>,
    residual: Option<Matrix<'a, F::Number>>,
    form: PhantomData<F>,
}

impl<'a, F: Form> Job for Part<'a, F> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        let (rows, columns) = (self.target.rows(), self.target.columns());
        let terms = self.left.columns();
        let (mut left, mut right) = (Left::<F::Of<S>>::new(), Right::<F::Of<S>>::new());
        let width = block_columns::<F::Of<S>>(terms);
        let height = block_rows::<F::Of<S>>(&self.left);
        for first in (0..columns).step_by(width) {
            let across = first..columns.min(first + width);
            for block in blocks::<F::Of<S>>(terms) {
                right.pack(self.right.block(block.clone(), across.clone()));
                let last = block.end == terms;
                let add = self.add || block.start > 0;
                let bias = self.bias.filter(|_| last).map(|bias| &bias[across.clone()]);
                let residual = self.residual.filter(|_| last);
                let down = |row: usize| row..rows.min(row + height);
                for row in (0..rows).step_by(height) {
                    left.pack(self.left.block(down(row), block.clone()));
                    let target = &mut self.target.block(down(row), across.clone());
                    let next = down(rows.min(row + height));
                    let ahead = Ahead::of(self.left.block(next, block.clone()));
                    let of_rows = |of: Matrix<'a, _>| of.block(down(row), across.clone());
                    let finish = Finish { add, bias, residual: residual.map(of_rows) };
                    multiply(&left, &right, target, finish, ahead);
                }
            }
        }
    }
}

/// The summed axis in blocks of nearly equal length; one empty block where there is nothing to sum.
#[inline(always)]
pub(super) fn blocks<A: Arithmetic>(terms: usize) -> impl Iterator<Item = Range<usize>> {
    let cells = terms.div_ceil(A::DEPTH);
    let count = cells.div_ceil(A::BLOCK).max(1);
    let edge = move |block: usize| (cells * block / count * A::DEPTH).min(terms);
    (0..count).map(move |block| edge(block)..edge(block + 1))
}

/// Rows of the left operand that are packed at a time: a panel, which then stays in L1, or several
/// where rows lie side by side, so that memory is read in longer runs.
#[inline(always)]
fn block_rows<A: Arithmetic>(left: &Matrix<'_, A::Number>) -> usize {
    let panels = if left.steps()[1] == 1 { 1 } else { PANELS };
    panels * A::ROWS
}

/// Columns of a packed block of the right operand.
#[inline(always)]
fn block_columns<A: Arithmetic>(terms: usize) -> usize {
    let cells = terms.div_ceil(A::DEPTH).clamp(1, A::BLOCK);
    let columns = RIGHT_BYTES / (cells * size_of::<A::Cell>());
    (columns / A::COLUMNS).max(1) * A::COLUMNS
}
