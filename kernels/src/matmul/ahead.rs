//! A block of an operand that is asked for from memory while another is multiplied.

use super::matrix::Matrix;
use crate::cpu::{LINE_BYTES, prefetch_line};

/// Lines of the cache that are still to be asked for.
pub(super) struct Ahead<T> {
    /// Where the runs of side by side numbers start, and how far they are apart.
    start: *const T,
    step: usize,
    /// Runs, and lines of the cache in each.
    runs: usize,
    lines: usize,
    /// Those asked for so far.
    asked: usize,
}

impl<T> Ahead<T> {
    /// Nothing.
    pub(super) fn nothing() -> Self {
        Self { start: std::ptr::null(), step: 0, runs: 0, lines: 0, asked: 0 }
    }

    /// A block whose numbers are side by side along one axis; nothing otherwise.
    pub(super) fn of(block: Matrix<'_, T>) -> Self {
        let (shape, steps) = ([block.rows(), block.columns()], block.steps());
        let Some(along) = (0..2).rev().find(|&axis| steps[axis] == 1) else {
            return Self::nothing();
        };
        // A run that does not start with a line touches one more.
        let lines = (shape[along] * size_of::<T>()).div_ceil(LINE_BYTES) + 1;
        let start = block.from(0, 0).as_ptr();
        Self { start, step: steps[1 - along], runs: shape[1 - along], lines, asked: 0 }
    }

    /// Lines of the cache that make `parts` equal parts.
    #[inline(always)]
    pub(super) fn part(&self, parts: usize) -> usize {
        (self.runs * self.lines).div_ceil(parts.max(1))
    }

    /// Asks for so many more.
    #[inline(always)]
    pub(super) fn ask(&mut self, count: usize) {
        let end = (self.asked + count).min(self.runs * self.lines);
        for number in self.asked..end {
            let run = self.start.wrapping_add(number / self.lines * self.step);
            prefetch_line(run.wrapping_byte_add(number % self.lines * LINE_BYTES));
        }
        self.asked = end;
    }
}
