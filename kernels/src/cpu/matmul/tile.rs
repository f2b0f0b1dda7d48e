//! The register tile: `A::ROWS` rows of two registers of sums, and products of packed operands
//! made of it.
//!
//! Each sum is one chain of multiply-adds along k, whatever the tile it belongs to, so results
//! do not depend on how the product is cut into tiles.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use super::ahead::Ahead;
use super::matrix::{Matrix, Target};
use super::panels::{Left, Right, cells_of, row_distance};
use crate::cpu::{
    Arithmetic, Element, LINE_BYTES, Lanes, MOST_LANES, MOST_TILE_ROWS, prefetch_line,
};

/// What happens to a sum before it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a, T> {
    /// Adds what the target holds.
    pub(crate) add: bool,
    /// Then adds this to every row; as many numbers as columns.
    pub(crate) bias: Option<&'a [T]>,
    /// Then adds this, of the shape of the target and its rows contiguous.
    pub(crate) residual: Option<Matrix<'a, T>>,
}

impl<T> Finish<'_, T> {
    pub(crate) const OVERWRITE: Self = Self { add: false, bias: None, residual: None };
    pub(crate) const ADD: Self = Self { add: true, bias: None, residual: None };
}

/// `target = left right` or `target += left right`, on one thread; meanwhile all of `ahead` is asked
/// for from memory.
///
/// # Panics
/// When the shapes differ.
#[inline(always)]
pub(super) fn multiply<A: Arithmetic>(
    left: &Left<A>,
    right: &Right<A>,
    target: &mut Target<'_, A::Number>,
    finish: Finish<'_, A::Number>,
    mut ahead: Ahead<A::Number>,
) {
    assert!(left.depth == right.depth, "operands of one product");
    assert!((target.rows(), target.columns()) == (left.rows, right.columns), "shape of the target");
    assert!(finish.bias.is_none_or(|bias| bias.len() == right.columns), "a bias per column");
    let fits = |residual: Matrix<'_, _>| {
        [residual.rows(), residual.columns()] == [left.rows, right.columns]
            && residual.steps()[1] == 1
    };
    assert!(finish.residual.is_none_or(fits), "a residual per number");
    let depth = cells_of::<A>(left.depth);
    let part = ahead.part(left.rows.div_ceil(A::ROWS) * right.columns.div_ceil(A::COLUMNS));
    for row in (0..left.rows).step_by(A::ROWS) {
        let rows = (left.rows - row).min(A::ROWS);
        let left_cells = left.panel(row / A::ROWS);
        for column in (0..right.columns).step_by(A::COLUMNS) {
            let columns = (right.columns - column).min(A::COLUMNS);
            ahead.ask(part);
            let place = Place::<A> {
                depth,
                left: left_cells.as_ptr(),
                right: right.panel(column / A::COLUMNS).as_ptr(),
                target: target.address(row, column),
                row_step: target.row_step(),
                rows,
                columns,
                add: finish.add,
                bias: finish.bias.map(|bias| &bias[column..column + columns]),
                residual: finish
                    .residual
                    .map_or(std::ptr::null(), |residual| residual.from(row, column).as_ptr()),
                residual_step: finish.residual.map_or(0, |residual| residual.steps()[0]),
            };
            place.ask_for_what_is_added();
            // SAFETY: both panels hold `depth` cells for every row and column of a tile, and the
            // target and the residual have `rows` rows of `columns` numbers from here, by the
            // assertions above.
            unsafe { place.multiply(left.by_row) };
        }
    }
}

/// One tile of a product.
struct Place<'a, A: Arithmetic> {
    depth: usize,
    left: *const A::Cell,
    right: *const A::Cell,
    target: *mut A::Number,
    row_step: usize,
    rows: usize,
    columns: usize,
    add: bool,
    bias: Option<&'a [A::Number]>,
    /// Null where there is none.
    residual: *const A::Number,
    residual_step: usize,
}

type Sums<A, const PACKS: usize> = [[<A as Arithmetic>::Sums; PACKS]; MOST_TILE_ROWS];

impl<A: Arithmetic> Place<'_, A> {
    /// Asks for the numbers that are added to the sums at the end.
    #[inline(always)]
    fn ask_for_what_is_added(&self) {
        for row in 0..A::ROWS.min(self.rows) {
            if self.add {
                ask_for_tile_row(self.target.wrapping_add(row * self.row_step).cast_const());
            }
            if !self.residual.is_null() {
                ask_for_tile_row(self.residual.wrapping_add(row * self.residual_step));
            }
        }
    }

    /// # Safety
    /// The panels hold `depth` cells per row and column, the target the rows and columns.
    #[inline(always)]
    unsafe fn multiply(&self, by_row: bool) {
        // SAFETY: as the caller says; a narrow tile reads the first of the two registers.
        unsafe {
            match (by_row, self.columns > A::Sums::LANES) {
                (true, true) => self.store(self.sums::<2, true>()),
                (true, false) => self.store(self.sums::<1, true>()),
                (false, true) => self.store(self.sums::<2, false>()),
                (false, false) => self.store(self.sums::<1, false>()),
            }
        }
    }

    /// # Safety
    /// As [`Self::multiply`].
    #[inline(always)]
    unsafe fn sums<const PACKS: usize, const BY_ROW: bool>(&self) -> Sums<A, PACKS> {
        let mut sums = [[A::Sums::zero(); PACKS]; MOST_TILE_ROWS];
        let (row_distance, step) = if BY_ROW { (row_distance::<A>(), 1) } else { (1, A::ROWS) };
        for k in 0..self.depth {
            // SAFETY: `k` is below the depth of both panels, `row` below the rows of a tile.
            unsafe {
                let right = self.right.add(k * A::COLUMNS);
                // Plain loops: parts of iterators may stay calls without the instruction set.
                let mut packs = [A::load(right); PACKS];
                for pack in 1..PACKS {
                    packs[pack] = A::load(right.add(pack * A::Sums::LANES));
                }
                for row in 0..A::ROWS {
                    let left = A::splat(*self.left.add(row * row_distance + k * step));
                    for pack in 0..PACKS {
                        sums[row][pack] = A::multiply_add(sums[row][pack], left, packs[pack]);
                    }
                }
            }
        }
        sums
    }

    /// # Safety
    /// As [`Self::multiply`].
    #[inline(always)]
    unsafe fn store<const PACKS: usize>(&self, sums: Sums<A, PACKS>) {
        let mut biases = [A::Sums::zero(); PACKS];
        if let Some(bias) = self.bias {
            for (to, numbers) in biases.iter_mut().zip(bias.chunks(A::Sums::LANES)) {
                *to = A::Sums::load(numbers);
            }
        }
        for row in 0..A::ROWS {
            if row >= self.rows {
                break;
            }
            for pack in 0..PACKS {
                let at = pack * A::Sums::LANES;
                let count = (self.columns - at).min(A::Sums::LANES);
                let to = self.target.wrapping_add(row * self.row_step + at);
                let mut value = sums[row][pack];
                // SAFETY: the row and its first `columns` numbers lie in the target and in the
                // residual; with `add` the target holds numbers.
                unsafe {
                    if self.add {
                        value = value.add(load_some(to, count));
                    }
                    if self.bias.is_some() {
                        value = value.add(biases[pack]);
                    }
                    if !self.residual.is_null() {
                        let from = self.residual.wrapping_add(row * self.residual_step + at);
                        value = value.add(load_some(from, count));
                    }
                    store_some(value, to, count);
                }
            }
        }
    }
}

/// A row of a tile is two registers: two lines of the cache, or a third that is left to chance.
#[inline(always)]
fn ask_for_tile_row<T>(start: *const T) {
    prefetch_line(start);
    prefetch_line(start.wrapping_byte_add(LINE_BYTES));
}

/// # Safety
/// There are `count` numbers, at most a register.
#[inline(always)]
unsafe fn load_some<P: Lanes>(from: *const P::Base, count: usize) -> P {
    // SAFETY: the caller says that the numbers are there.
    unsafe {
        if count == P::LANES {
            P::load_from(from)
        } else {
            P::load(std::slice::from_raw_parts(from, count))
        }
    }
}

/// # Safety
/// There is room for `count` numbers, at most a register.
#[inline(always)]
unsafe fn store_some<P: Lanes>(value: P, to: *mut P::Base, count: usize) {
    // SAFETY: the caller says that there is room.
    unsafe {
        if count == P::LANES {
            value.store_to(to);
        } else {
            let mut lanes = [P::Base::ZERO; MOST_LANES];
            value.store_to(lanes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
        }
    }
}
