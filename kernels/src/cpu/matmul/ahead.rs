//! A block of an operand that is asked for from memory while another is multiplied.

use super::matrix::Matrix;
use crate::cpu::{LINE_BYTES, prefetch_line};

/// Lines of the cache that are still to be asked for.
pub(super) struct Ahead<T> {
    /// Where the run of side by side numbers that is next starts, and how far runs are apart.
    run: *const T,
    step: usize,
    /// Lines of a run, and the next one.
    lines: usize,
    line: usize,
    /// Lines of all runs that were not asked for.
    left: usize,
}

impl<T> Ahead<T> {
    /// Nothing.
    pub(super) fn nothing() -> Self {
        Self { run: std::ptr::null(), step: 0, lines: 0, line: 0, left: 0 }
    }

    /// A block whose numbers are side by side along one axis; nothing otherwise.
    pub(super) fn of(block: Matrix<'_, T>) -> Self {
        let (shape, steps) = ([block.rows(), block.columns()], block.steps());
        let Some(along) = (0..2).rev().find(|&axis| steps[axis] == 1) else {
            return Self::nothing();
        };
        // A run that does not start with a line touches one more.
        let lines = (shape[along] * size_of::<T>()).div_ceil(LINE_BYTES) + 1;
        let run = block.from(0, 0).as_ptr();
        Self { run, step: steps[1 - along], lines, line: 0, left: shape[1 - along] * lines }
    }

    /// Lines of the cache that make `parts` equal parts.
    #[inline(always)]
    pub(super) fn part(&self, parts: usize) -> usize {
        self.left.div_ceil(parts.max(1))
    }

    /// Asks for so many more.
    #[inline(always)]
    pub(super) fn ask(&mut self, count: usize) {
        let count = count.min(self.left);
        self.left -= count;
        for _ in 0..count {
            prefetch_line(self.run.wrapping_byte_add(self.line * LINE_BYTES));
            self.line += 1;
            if self.line == self.lines {
                (self.run, self.line) = (self.run.wrapping_add(self.step), 0);
            }
        }
    }
}
