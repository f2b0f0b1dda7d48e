//! A right operand packed once for many left ones, on one thread.

use std::ops::Range;

use super::ahead::Ahead;
use super::matrix::{Matrix, Target};
use super::panels::{Left, Right};
use super::product::blocks;
use super::tile::{Finish, multiply};
use crate::cpu::{Arithmetic, Lanes, Scratch};

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

    /// Products of rows that lie anywhere: row `[start, place]` of the left operand are the numbers
    /// from `from[start]` on, and its product goes to the numbers from `to[place]` on.
    ///
    /// # Panics
    /// When a row lies outside.
    #[inline(always)]
    pub(crate) fn multiply_rows(
        &self,
        rows: &[[usize; 2]],
        from: &[A::Number],
        to: &mut [A::Number],
    ) {
        let columns = self.shape[1];
        let (mut panel, mut products) = (Left::<A>::new(), Scratch::<A::Number>::take());
        for rows in rows.chunks(A::ROWS) {
            let products = products.room(rows.len() * columns);
            for (block, right) in &self.blocks {
                panel.pack_rows(rows.iter().map(|row| &from[row[0]..][block.clone()]));
                let finish = if block.start > 0 { Finish::ADD } else { Finish::OVERWRITE };
                let mut target = Target::new(products, [rows.len(), columns], columns);
                multiply(&panel, right, &mut target, finish, Ahead::nothing());
            }
            for (row, product) in rows.iter().zip(products.chunks_exact(columns.max(1))) {
                store_row::<A::Sums>(product, &mut to[row[1]..][..columns]);
            }
        }
    }
}

/// Copies in registers: rows are too short for a call of the system's copy.
#[inline(always)]
fn store_row<P: Lanes>(from: &[P::Base], to: &mut [P::Base]) {
    for (from, to) in from.chunks(P::LANES).zip(to.chunks_mut(P::LANES)) {
        P::load(from).store(to);
    }
}
