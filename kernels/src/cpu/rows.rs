//! Divides the rows of an output among threads. Every row is written by one thread from inputs
//! alone, so the bits do not depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::Element;

/// Rows a task should copy or add at least, if they hold `row_len` numbers: handing over a task
/// costs about as much as moving a few thousand numbers.
pub(crate) fn rows_per_copy(row_len: usize) -> usize {
    4096_usize.div_ceil(row_len.max(1))
}

/// Calls `write(scratch, row, numbers)` for every row of `row_len` numbers of `out`, in parallel;
/// each task takes `rows_per_task` rows at least and makes its scratch once. The last row may be
/// shorter.
pub(crate) fn for_rows<T: Element, S>(
    out: &mut [T],
    row_len: usize,
    rows_per_task: usize,
    scratch: impl Fn() -> S + Sync + Send,
    write: impl Fn(&mut S, usize, &mut [T]) + Sync + Send,
) {
    if out.is_empty() {
        return;
    }
    out.par_chunks_mut(row_len)
        .enumerate()
        .with_min_len(rows_per_task)
        .for_each_init(scratch, |scratch, (row, numbers)| write(scratch, row, numbers));
}

/// `count` numbers from `start`, or those left before `end`.
#[inline(always)]
pub(crate) fn span(start: usize, count: usize, end: usize) -> Range<usize> {
    start..end.min(start + count)
}
