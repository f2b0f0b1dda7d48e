//! A right operand packed once for many left ones, on one thread.

use std::ops::Range;

use super::ahead::Ahead;
use super::matrix::{Matrix, Target};
use super::panels::{Left, Right};
use super::product::blocks;
use super::tile::{Finish, multiply};
use crate::cpu::Arithmetic;

/// A packed right operand `[K, N]`, block by block of the summed axis.
pub(crate) struct Packed<A: Arithmetic> {
    blocks: Vec<(Range<usize>, Right<A>)>,
    shape: [usize; 2],
}

impl<A: Arithmetic> Packed<A> {
    #[inline(always)]
    pub(crate) fn new(source: Matrix<'_, A::Number>) -> Self {
        let shape = [source.rows(), source.columns()];
        let mut all = Vec::new();
        for block in blocks::<A>(shape[0]) {
            let mut right = Right::new();
            right.pack(source.block(block.clone(), 0..shape[1]));
            all.push((block, right));
        }
        Self { blocks: all, shape }
    }

    /// `target = left right`, or added to what the target holds.
    ///
    /// # Panics
    /// When the shapes differ.
    #[inline(always)]
    pub(crate) fn multiply(
        &self,
        left: Matrix<'_, A::Number>,
        target: &mut Target<'_, A::Number>,
        add: bool,
    ) {
        let [terms, columns] = self.shape;
        assert!(left.columns() == terms, "operands of one product");
        assert!([target.rows(), target.columns()] == [left.rows(), columns], "shape of the target");
        let mut panel = Left::<A>::new();
        for first in (0..left.rows()).step_by(A::ROWS) {
            let rows = first..left.rows().min(first + A::ROWS);
            for (block, right) in &self.blocks {
                panel.pack(left.block(rows.clone(), block.clone()));
                let finish = Finish { add: add || block.start > 0, bias: None, residual: None };
                let target = &mut target.block(rows.clone(), 0..columns);
                multiply(&panel, right, target, finish, Ahead::nothing());
            }
        }
    }
}
