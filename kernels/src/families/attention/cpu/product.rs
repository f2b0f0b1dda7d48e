//! Products of packed operands into a block of numbers, by a tile of registers.
//!
//! ```text
//! maths     out[r, c] = sum_k left[r, k] right[k, c]   (+ out[r, c], or + out[r, c] factor[c])
//! layout    `right` is read across; `left` along if its rows are rows of the product, across if
//!           its columns are
//! tile      up to 8 rows of up to 3 registers; each step along k loads a register per column and
//!           a number per row
//! ordering  each sum is one chain of multiply-adds along k, whatever the tile it belongs to
//! ```
//!
//! The left operand is read in place, a number at a time, so that the rows of a product may end
//! anywhere and one panel serves sums over both of its axes.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use super::numerics::Numerics;
use super::panel::Panel;
use super::segments::whole_units;
use crate::cpu::{Arithmetic, Job, Lanes, Set};

/// Registers of a tile side by side at most.
const MOST_REGISTERS: usize = 3;

/// What the sums start from.
#[derive(Clone, Copy)]
pub(super) enum Start<'a, T> {
    Zero,
    /// What `out` holds.
    Kept,
    /// What `out` holds times a factor per column of `out`.
    Faded(&'a [T]),
}

/// Which part of a panel is the left operand.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// Rows from `row` on; the sum runs along them, from column `depth` on.
    Along { row: usize, depth: usize },
    /// All columns; the sum runs over the rows from `depth` on.
    Across { depth: usize },
}

/// One product. What is summed starts at whole cells.
pub(super) struct Product<'a, N: Numerics> {
    pub(super) left: (&'a Panel<N::Number>, Left),
    /// With the first row and column.
    pub(super) right: (&'a Panel<N::Number>, [usize; 2]),
    /// With the width of a row and where to begin, `[row, column]`.
    pub(super) out: (&'a mut [N::Number], usize, [usize; 2]),
    /// Rows, numbers summed over, and columns, which are filled up to whole cache lines.
    pub(super) size: [usize; 3],
    pub(super) start: Start<'a, N::Number>,
}

impl<N: Numerics> Job for Product<'_, N> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let [rows, depth, columns] = self.size;
        let columns = whole_units::<N::Number>(columns);
        if rows == 0 || depth == 0 || columns == 0 {
            return;
        }
        let block = Block::<N::On<S>>::new(self, [rows, depth, columns]);
        // SAFETY: `new` checked that the operands and `out` reach over the whole product, and
        // cache lines are whole registers.
        unsafe { block.multiply(rows, columns / <N::On<S> as Arithmetic>::Sums::LANES) };
    }
}

/// Addresses of a product, or of a tile of it.
struct Block<A: Arithmetic> {
    left: *const A::Cell,
    /// From one row to the next, and from one cell of a sum to the next.
    left_steps: [usize; 2],
    right: *const A::Cell,
    right_step: usize,
    out: *mut A::Number,
    out_step: usize,
    /// Null if the sums start from zero or from `out` alone.
    factors: *const A::Number,
    kept: bool,
    /// Cells summed over.
    depth: usize,
}

impl<A: Arithmetic> Clone for Block<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Arithmetic> Copy for Block<A> {}

impl<A: Arithmetic> Block<A> {
    #[inline(always)]
    fn new<N: Numerics<Number = A::Number>>(
        product: Product<'_, N>,
        [rows, depth, columns]: [usize; 3],
    ) -> Self {
        let depth = depth.div_ceil(A::DEPTH);
        let (panel, part) = product.left;
        let (left, left_steps) = match part {
            Left::Along { row, depth } => {
                let step = panel.width() / A::DEPTH;
                (&panel.along::<A>()[row * step + depth / A::DEPTH..], [step, 1])
            }
            Left::Across { depth } => {
                let step = panel.width();
                (&panel.across::<A>()[depth / A::DEPTH * step..], [1, step])
            }
        };
        let (panel, [row, column]) = product.right;
        let right_step = panel.width();
        let right = &panel.across::<A>()[row / A::DEPTH * right_step + column..];
        let (out, out_step, [row, column]) = product.out;
        let out = &mut out[row * out_step + column..];
        let (kept, factors) = match product.start {
            Start::Zero => (false, std::ptr::null()),
            Start::Kept => (true, std::ptr::null()),
            Start::Faded(factors) => (true, factors[column..column + columns].as_ptr()),
        };
        let last = [rows - 1, depth - 1];
        assert!(last[0] * left_steps[0] + last[1] * left_steps[1] < left.len(), "left operand");
        assert!(last[1] * right_step + columns <= right.len(), "right operand");
        assert!(last[0] * out_step + columns <= out.len(), "place of the product");
        Self {
            left: left.as_ptr(),
            left_steps,
            right: right.as_ptr(),
            right_step,
            out: out.as_mut_ptr(),
            out_step,
            factors,
            kept,
            depth,
        }
    }

    /// # Safety
    /// The addresses reach over `rows` rows and `registers` registers side by side.
    #[inline(always)]
    unsafe fn multiply(mut self, rows: usize, mut registers: usize) {
        while registers > 0 {
            let strips = registers.div_ceil(MOST_REGISTERS);
            let side_by_side = registers.div_ceil(strips);
            // SAFETY: this strip and what is right of it are parts of the product.
            unsafe {
                match side_by_side {
                    1 => self.strip::<1>(rows),
                    2 => self.strip::<2>(rows),
                    _ => self.strip::<3>(rows),
                }
                let numbers = side_by_side * A::Sums::LANES;
                self.right = self.right.add(numbers);
                self.out = self.out.add(numbers);
                if !self.factors.is_null() {
                    self.factors = self.factors.add(numbers);
                }
            }
            registers -= side_by_side;
        }
    }

    /// # Safety
    /// As [`Self::multiply`] with `C` registers.
    #[inline(always)]
    unsafe fn strip<const C: usize>(mut self, rows: usize) {
        // Two thirds of 32 registers hold sums; with 16, half of them and at most 12.
        let most = if A::ROWS > 8 || C == 1 { 8 } else { 4 };
        let mut row = 0;
        while row < rows {
            let left = (rows - row).min(most);
            // SAFETY: there are at least as many rows left as the tile has.
            let done = unsafe {
                match left {
                    8.. => self.tile::<8, C>(),
                    4..8 => self.tile::<4, C>(),
                    2..4 => self.tile::<2, C>(),
                    _ => self.tile::<1, C>(),
                }
            };
            // SAFETY: what is below is part of the product, or its end.
            unsafe {
                self.left = self.left.add(done * self.left_steps[0]);
                self.out = self.out.add(done * self.out_step);
            }
            row += done;
        }
    }

    /// Computes `R` rows; returns their number.
    ///
    /// # Safety
    /// The addresses reach over `R` rows and `C` registers.
    #[inline(always)]
    unsafe fn tile<const R: usize, const C: usize>(&self) -> usize {
        let mut sums = [[A::Sums::zero(); C]; R];
        // SAFETY: as the caller says; what is kept was written by an earlier product.
        unsafe {
            if self.kept {
                self.begin(&mut sums);
            }
            let (mut left, mut right) = (self.left, self.right);
            for _ in 0..self.depth {
                // Plain loops: parts of iterators may stay calls without the instruction set.
                let mut columns = [A::load(right); C];
                for c in 1..C {
                    columns[c] = A::load(right.add(c * A::Sums::LANES));
                }
                for r in 0..R {
                    let number = A::splat(*left.add(r * self.left_steps[0]));
                    for c in 0..C {
                        sums[r][c] = A::multiply_add(sums[r][c], number, columns[c]);
                    }
                }
                // The last steps may leave the operands; nothing is read there.
                left = left.wrapping_add(self.left_steps[1]);
                right = right.wrapping_add(self.right_step);
            }
            for (r, sums) in sums.iter().enumerate() {
                for (c, sum) in sums.iter().enumerate() {
                    sum.store_to(self.out.add(r * self.out_step + c * A::Sums::LANES));
                }
            }
        }
        R
    }

    /// # Safety
    /// As [`Self::tile`], and `out` holds numbers.
    #[inline(always)]
    unsafe fn begin<const R: usize, const C: usize>(&self, sums: &mut [[A::Sums; C]; R]) {
        for (r, sums) in sums.iter_mut().enumerate() {
            for (c, sum) in sums.iter_mut().enumerate() {
                let lanes = c * A::Sums::LANES;
                // SAFETY: as the caller says; factors are as many as columns.
                unsafe {
                    *sum = A::Sums::load_from(self.out.add(r * self.out_step + lanes));
                    if !self.factors.is_null() {
                        *sum = sum.mul(A::Sums::load_from(self.factors.add(lanes)));
                    }
                }
            }
        }
    }
}
