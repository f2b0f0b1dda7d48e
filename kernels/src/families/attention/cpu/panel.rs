//! Packed operands.
//!
//! ```text
//! layout  a panel has rows of `width` numbers, whole cache lines
//!         along   cell k of row r, its numbers from k DEPTH on: at r width / DEPTH + k
//!         across  cell of column c and the rows from j DEPTH on: at j width + c
//! ```
//!
//! Both forms are one where a cell is a number. Sums along the width of a panel read it along, sums
//! over its rows read it across. What stands in columns and rows that nobody packed is undefined.

use super::segments::whole_units;
use crate::cpu::{Arithmetic, Plain, Scratch};

/// Memory of a packed operand.
pub(super) struct Panel<T: Plain> {
    along: Scratch<T>,
    across: Scratch<T>,
    rows: usize,
    width: usize,
}

/// Which forms of a panel are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Forms {
    Along,
    Across,
    Both,
}

impl<T: Plain> Panel<T> {
    pub(super) fn new() -> Self {
        Self { along: Scratch::take(), across: Scratch::take(), rows: 0, width: 0 }
    }

    /// Makes room for `rows` rows of `width` numbers.
    pub(super) fn resize(&mut self, rows: usize, width: usize) {
        (self.rows, self.width) = (rows, whole_units::<T>(width));
        let count = self.count();
        self.along.room(count);
        self.across.room(count);
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Numbers there is room for: an odd last row is half of a cell.
    fn count(&self) -> usize {
        self.rows.next_multiple_of(2) * self.width
    }

    /// The cells along the rows.
    #[inline(always)]
    pub(super) fn along<A: Arithmetic<Number = T>>(&self) -> &[A::Cell] {
        cells::<A>(&self.along.numbers()[..self.count()])
    }

    /// The cells across the rows.
    #[inline(always)]
    pub(super) fn across<A: Arithmetic<Number = T>>(&self) -> &[A::Cell] {
        let memory = if A::DEPTH == 1 { &self.along } else { &self.across };
        cells::<A>(&memory.numbers()[..self.count()])
    }

    /// The same to be written, `[along, across]`; the second counts where a cell is a pair.
    #[inline(always)]
    pub(super) fn cells_mut<A: Arithmetic<Number = T>>(&mut self) -> [&mut [A::Cell]; 2] {
        let count = self.count();
        [cells_mut::<A>(self.along.room(count)), cells_mut::<A>(self.across.room(count))]
    }
}

/// Packs rows, `A::DEPTH` at a time.
pub(super) struct Packer<'a, A: Arithmetic> {
    along: &'a mut [A::Cell],
    across: &'a mut [A::Cell],
    width: usize,
    forms: Forms,
}

impl<'a, A: Arithmetic<Number: Plain>> Packer<'a, A> {
    #[inline(always)]
    pub(super) fn new(panel: &'a mut Panel<A::Number>, forms: Forms) -> Self {
        let width = panel.width;
        let [along, across] = panel.cells_mut::<A>();
        Self { along, across, width, forms }
    }

    /// Packs the numbers of row `row` and, where a cell is a pair, of the next row, which is empty
    /// after the last one. They start in `column`, which starts a register.
    #[inline(always)]
    pub(super) fn pack(&mut self, [row, column]: [usize; 2], [first, second]: [&[A::Number]; 2]) {
        let count = first.len();
        if A::DEPTH == 1 || self.forms != Forms::Across {
            for (row, numbers) in (row..row + A::DEPTH).zip([first, second]) {
                let cells = numbers.len().div_ceil(A::DEPTH);
                let at = (row * self.width + column) / A::DEPTH;
                A::along(numbers, &mut self.along[at..at + cells]);
            }
        }
        if A::DEPTH > 1 && self.forms != Forms::Along {
            let at = row / A::DEPTH * self.width + column;
            A::across(first, second, &mut self.across[at..at + count]);
        }
    }
}

/// Numbers as cells, which are as large in every arithmetic.
#[inline(always)]
fn cells<A: Arithmetic<Number: Plain>>(numbers: &[A::Number]) -> &[A::Cell] {
    const { assert!(size_of::<A::Cell>() == size_of::<A::Number>()) };
    const { assert!(align_of::<A::Cell>() <= align_of::<A::Number>()) };
    // SAFETY: size and alignment were checked right above; `Plain` says that every bit pattern is
    // a value of either type.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
}

/// As [`cells`].
#[inline(always)]
fn cells_mut<A: Arithmetic<Number: Plain>>(numbers: &mut [A::Number]) -> &mut [A::Cell] {
    const { assert!(size_of::<A::Cell>() == size_of::<A::Number>()) };
    const { assert!(align_of::<A::Cell>() <= align_of::<A::Number>()) };
    // SAFETY: as in `cells`, and the borrow is unique.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len()) }
}
