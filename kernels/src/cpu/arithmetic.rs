//! What a matrix product computes with on an instruction set: how an operand is stored once it is
//! packed, and how packed operands are multiplied.
//!
//! A packed operand consists of cells. A cell is a number, or a pair of bf16 that stand one behind
//! the other along the summed axis, which is what AVX512-BF16 multiplies (`bf16.rs`).

use std::marker::PhantomData;

use super::scratch::Plain;
use super::{Element, Lanes, MOST_LANES, Set};
use crate::bf16::{round_f32, round_f64};

/// Most rows of a register tile.
pub(crate) const MOST_TILE_ROWS: usize = 14;

/// Bytes of a packed row of the left operand: 14 of them are two thirds of an L1 cache of 32 KiB,
/// and the right operand streams through the rest.
const ROW_BYTES: usize = 1536;

/// One way of multiplying on one instruction set.
pub(crate) trait Arithmetic {
    /// Of the operands before packing, and of the sums.
    type Number: Element + Plain;
    type Cell: Plain;
    /// Cells side by side in a register.
    type Cells: Copy;
    /// Sums side by side in a register; as many as there are cells.
    type Sums: Lanes<Base = Self::Number>;
    const EMPTY: Self::Cell;
    /// Numbers of the summed axis in a cell.
    const DEPTH: usize;
    /// Rows of a register tile.
    const ROWS: usize;
    /// Most cells of the summed axis that are packed at a time.
    const BLOCK: usize = ROW_BYTES / size_of::<Self::Cell>();
    /// Columns of a register tile: two registers.
    const COLUMNS: usize = 2 * Self::Sums::LANES;

    /// Packs numbers that follow each other along the summed axis; the last cell is filled up
    /// with zero.
    fn along(numbers: &[Self::Number], cells: &mut [Self::Cell]);

    /// Packs numbers side by side across the summed axis; `next` holds the second numbers of the
    /// cells where cells have two, or is empty where the summed axis has ended.
    fn across(numbers: &[Self::Number], next: &[Self::Number], cells: &mut [Self::Cell]);

    /// Packs `Sums::LANES` lines of as many cells and turns them: cell `at` of line `l` goes to
    /// `to + at * width + l`.
    ///
    /// # Safety
    /// Line `l` starts at `from + l * step`; there is room for the last cell of the last line.
    #[inline(always)]
    unsafe fn turn(from: *const Self::Number, step: usize, to: *mut Self::Cell, width: usize) {
        let mut stage = [Self::EMPTY; MOST_LANES];
        let lanes = Self::Sums::LANES;
        for line in 0..lanes {
            // SAFETY: the caller says that the numbers are there.
            let numbers =
                unsafe { std::slice::from_raw_parts(from.add(line * step), lanes * Self::DEPTH) };
            Self::along(numbers, &mut stage[..lanes]);
            for (at, &cell) in stage[..lanes].iter().enumerate() {
                // SAFETY: the caller says that there is room.
                unsafe { to.add(at * width + line).write(cell) };
            }
        }
    }

    /// # Safety
    /// There is a register of cells at `cells`.
    unsafe fn load(cells: *const Self::Cell) -> Self::Cells;

    fn splat(cell: Self::Cell) -> Self::Cells;

    /// `sums + left right`.
    fn multiply_add(sums: Self::Sums, left: Self::Cells, right: Self::Cells) -> Self::Sums;
}

/// Copies in registers: rows are too short for a call of the system's copy.
#[inline(always)]
fn copy<S: Set, T: Element>(from: &[T], to: &mut [T]) {
    let (lanes, count) = (T::Pack::<S>::LANES, from.len());
    let to = &mut to[..count];
    let mut at = 0;
    while at < count {
        let end = count.min(at + lanes);
        T::Pack::<S>::load(&from[at..end]).store(&mut to[at..end]);
        at = end;
    }
}

/// Numbers as they are.
pub(crate) struct Full<S, T>(PhantomData<(S, T)>);

/// Numbers rounded to bf16 and multiplied as before.
pub(crate) struct Rounded<S, T>(PhantomData<(S, T)>);

/// The nearest bf16, in the same type.
pub(crate) trait Round: Element {
    fn round(self) -> Self;
}

impl Round for f32 {
    #[inline(always)]
    fn round(self) -> Self {
        round_f32(self)
    }
}

impl Round for f64 {
    #[inline(always)]
    fn round(self) -> Self {
        round_f64(self)
    }
}

macro_rules! plain_arithmetic {
    ($name:ident, $store:expr $(, $turn:ident)?) => {
        impl<S: Set, T: Round + Plain> Arithmetic for $name<S, T> {
            type Number = T;
            type Cell = T;
            type Cells = T::Pack<S>;
            type Sums = T::Pack<S>;
            const EMPTY: T = T::ZERO;
            const DEPTH: usize = 1;
            const ROWS: usize = S::TILE_ROWS;

            #[inline(always)]
            fn along(numbers: &[T], cells: &mut [T]) {
                $store(numbers, cells);
            }

            #[inline(always)]
            fn across(numbers: &[T], _: &[T], cells: &mut [T]) {
                $store(numbers, cells);
            }

            $(
                #[inline(always)]
                unsafe fn $turn(from: *const T, step: usize, to: *mut T, width: usize) {
                    // SAFETY: as the caller says, and a cell is a number.
                    unsafe { T::Pack::<S>::turn(from, step, to, width) };
                }
            )?

            #[inline(always)]
            unsafe fn load(cells: *const T) -> T::Pack<S> {
                // SAFETY: the caller says that there is a register of numbers.
                unsafe { T::Pack::<S>::load_from(cells) }
            }

            #[inline(always)]
            fn splat(cell: T) -> T::Pack<S> {
                T::Pack::<S>::splat(cell)
            }

            #[inline(always)]
            fn multiply_add(sums: T::Pack<S>, left: T::Pack<S>, right: T::Pack<S>) -> T::Pack<S> {
                left.mul_add(right, sums)
            }
        }
    };
}
plain_arithmetic!(Full, copy::<S, T>, turn);
plain_arithmetic!(Rounded, |numbers: &[T], cells: &mut [T]| {
    for (cell, &number) in cells.iter_mut().zip(numbers) {
        *cell = number.round();
    }
});
