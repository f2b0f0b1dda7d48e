//! Divides the rows of an output among threads. Every row is written by one thread from inputs
//! alone, so the bits do not depend on the number of threads.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::{Element, Lanes};

/// Rows a task should copy or add at least, if they hold `row_len` numbers: handing over a task
/// costs about as much as moving a few thousand numbers.
pub(crate) fn rows_per_copy(row_len: usize) -> usize {
    4096_usize.div_ceil(row_len.max(1))
}

/// `count` numbers, of which `write(scratch, row, numbers)` makes every row of `row_len` out of zeros, in
/// parallel; each task takes `rows_per_task` rows at least and makes its scratch once. The last row
/// may be shorter.
pub(crate) fn make_rows<T: Element, S>(
    count: usize,
    row_len: usize,
    rows_per_task: usize,
    scratch: impl Fn() -> S + Sync + Send,
    write: impl Fn(&mut S, usize, &mut [T]) + Sync + Send,
) -> Vec<T> {
    let mut out = Vec::with_capacity(count);
    if count > 0 {
        let rows = out.spare_capacity_mut()[..count].par_chunks_mut(row_len).enumerate();
        rows.with_min_len(rows_per_task).for_each_init(scratch, |scratch, (row, room)| {
            write(scratch, row, zeroed(room));
        });
    }
    // SAFETY: every row was zeroed.
    unsafe { out.set_len(count) };
    out
}

/// Zeros, put there by the thread that writes next: the memory is then near.
pub(crate) fn zeroed<T: Element>(room: &mut [MaybeUninit<T>]) -> &mut [T] {
    room.fill(MaybeUninit::new(T::ZERO));
    // SAFETY: both types have the same layout, and every number was written right above.
    unsafe { &mut *(std::ptr::from_mut(room) as *mut [T]) }
}

/// Numbers of a block of rows: handing a block to another thread costs about as much as moving
/// a quarter of them.
const NUMBERS_PER_BLOCK: usize = 1 << 14;

/// Rows of a block, if they hold `row_len` numbers; a property of the shape, so sums over blocks
/// are the same on any number of threads.
pub(crate) fn rows_per_block(row_len: usize) -> usize {
    NUMBERS_PER_BLOCK.div_ceil(row_len.max(1))
}

/// Calls `write(block, numbers, side)` for every block of `len` numbers of fresh memory and the
/// `side_len` numbers of `side` that belong to it, in parallel where there are more than two.
pub(crate) fn for_blocks<T: Element>(
    (out, len): (&mut [MaybeUninit<T>], usize),
    (side, side_len): (&mut [T], usize),
    write: impl Fn(usize, &mut [MaybeUninit<T>], &mut [T]) + Sync + Send,
) {
    if out.len() > 2 * len && side_len > 0 {
        let blocks = out.par_chunks_mut(len).zip(side.par_chunks_mut(side_len));
        blocks.enumerate().for_each(|(block, (out, side))| write(block, out, side));
    } else if out.len() > 2 * len {
        let blocks = out.par_chunks_mut(len).enumerate();
        blocks.for_each(|(block, out)| write(block, out, &mut []));
    } else {
        let mut sides = side.chunks_mut(side_len.max(1));
        for (block, out) in out.chunks_mut(len.max(1)).enumerate() {
            write(block, out, sides.next().unwrap_or_default());
        }
    }
}

/// `count` numbers from `start`, or those left before `end`.
#[inline(always)]
pub(crate) fn span(start: usize, count: usize, end: usize) -> Range<usize> {
    start..end.min(start + count)
}

/// Two packs where they are whole, else one: what loops over channels take at a time. With `W` of 2
/// there are no ragged ends, so that nothing but loads is left of reading a row.
///
/// Numbers from column `start` of row `row`, of rows of `width`.
#[inline(always)]
pub(crate) fn load_wide<P: Lanes, const W: usize>(
    from: &[P::Base],
    row: usize,
    width: usize,
    start: usize,
) -> [P; W] {
    let first = row * width + start;
    let mut wide = [P::zero(); W];
    if W == 1 {
        wide[0] = P::load(&from[span(first, P::LANES, (row + 1) * width)]);
    } else {
        let all = &from[first..][..W * P::LANES];
        for pack in 0..W {
            wide[pack] = P::load(&all[pack * P::LANES..][..P::LANES]);
        }
    }
    wide
}

/// Rows of `width` numbers, of which packs are read without asking again whether each is there.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    /// `count * width` numbers.
    numbers: &'a [T],
    count: usize,
    width: usize,
}

impl<'a, T: Element> Rows<'a, T> {
    /// Block `at` of blocks of so many rows.
    #[inline(always)]
    pub(crate) fn block(numbers: &'a [T], at: usize, count: usize, width: usize) -> Self {
        let len = count * width;
        Self { numbers: &numbers[at * len..][..len], count, width }
    }

    /// As [`load_wide`]. Where rows are constants and packs of many rows start at one place, one
    /// question remains of all bounds.
    #[expect(
        clippy::needless_range_loop,
        reason = "parts of iterators may stay calls without the instruction set"
    )]
    #[inline(always)]
    pub(crate) fn packs<P: Lanes<Base = T>, const W: usize>(
        &self,
        row: usize,
        start: usize,
    ) -> [P; W] {
        if W == 1 {
            return load_wide(self.numbers, row, self.width, start);
        }
        let inside = row < self.count && start <= self.width && self.width - start >= W * P::LANES;
        assert!(inside, "packs from {start} of row {row}: {} of {}", self.count, self.width);
        let mut packs = [P::zero(); W];
        for pack in 0..W {
            let first = row * self.width + start + pack * P::LANES;
            // SAFETY: it ends inside the row, which is one of those that there are.
            packs[pack] = unsafe { P::load_from(self.numbers.as_ptr().add(first)) };
        }
        packs
    }
}

/// As [`load_wide`] the other way.
#[inline(always)]
pub(crate) fn store_wide<P: Lanes, const W: usize>(
    wide: [P; W],
    to: &mut [P::Base],
    row: usize,
    width: usize,
    start: usize,
) {
    let first = row * width + start;
    if W == 1 {
        wide[0].store(&mut to[span(first, P::LANES, (row + 1) * width)]);
    } else {
        let all = &mut to[first..][..W * P::LANES];
        for pack in 0..W {
            wide[pack].store(&mut all[pack * P::LANES..][..P::LANES]);
        }
    }
}

/// Where the packs of a row of `width` start: `[two at a time, then one]`.
#[inline(always)]
pub(crate) fn starts(width: usize, lanes: usize) -> [std::iter::StepBy<Range<usize>>; 2] {
    let whole = width / (2 * lanes) * 2 * lanes;
    [(0..whole).step_by(2 * lanes), (whole..width).step_by(lanes)]
}
