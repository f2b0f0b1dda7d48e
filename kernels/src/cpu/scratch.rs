//! Memory that a thread keeps from one call to the next, aligned to cache lines.
//!
//! Fresh memory costs a page fault per 4 KiB, as much as a small product. What a thread has used
//! it therefore keeps. Contents are whatever was there before.

use std::cell::RefCell;
use std::marker::PhantomData;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// Bytes of a cache line.
pub(crate) const LINE_BYTES: usize = 64;

thread_local! {
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// A number for which every bit pattern is a value, no larger than a cache line.
///
/// # Safety
/// Implemented for such numbers only.
pub(crate) unsafe trait Plain: Copy + Send + Sync {}

// SAFETY: every bit pattern is a value.
unsafe impl Plain for f32 {}
// SAFETY: every bit pattern is a value.
unsafe impl Plain for f64 {}
// SAFETY: every bit pattern is a value.
unsafe impl Plain for u32 {}

/// Numbers in memory of this thread; given back when dropped.
pub(crate) struct Scratch<T> {
    lines: Vec<Line>,
    numbers: PhantomData<T>,
}

impl<T: Plain> Scratch<T> {
    /// None yet.
    pub(crate) fn take() -> Self {
        Self { lines: Vec::new(), numbers: PhantomData }
    }

    /// Room for `count` numbers, of any value.
    pub(crate) fn room(&mut self, count: usize) -> &mut [T] {
        let needed = (count * size_of::<T>()).div_ceil(LINE_BYTES);
        if self.lines.len() < needed {
            give_back(std::mem::replace(&mut self.lines, kept(needed)));
        }
        // SAFETY: the lines hold at least `count` numbers, are aligned for any of them, and
        // `Plain` says that every bit pattern is one.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), count) }
    }

    /// The numbers written to the room, and what was there before behind them.
    #[inline(always)]
    pub(crate) fn numbers(&self) -> &[T] {
        let count = self.lines.len() * LINE_BYTES / size_of::<T>();
        // SAFETY: as in `room`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), count) }
    }
}

/// The smallest memory of this thread that has room for so many lines, or new memory in place of the
/// largest: so a thread keeps as many pieces as it uses at a time.
fn kept(needed: usize) -> Vec<Line> {
    let taken = KEPT.with_borrow_mut(|kept| {
        let enough = kept.iter().enumerate().filter(|(_, lines)| lines.len() >= needed);
        let smallest = enough.min_by_key(|(_, lines)| lines.len()).map(|(at, _)| at);
        let largest = || (0..kept.len()).max_by_key(|&at| kept[at].len());
        let at = smallest.or_else(largest);
        at.map(|at| kept.swap_remove(at))
    });
    match taken {
        Some(lines) if lines.len() >= needed => lines,
        // Old contents are not copied.
        _ => vec![Line([0; 8]); needed.next_power_of_two()],
    }
}

fn give_back(lines: Vec<Line>) {
    if !lines.is_empty() {
        // While a thread ends there is nothing to keep it in, and it is freed.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().push(lines));
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_aligned_and_nested_uses_do_not_share_memory() {
        let (mut outer, mut inner) = (Scratch::<f32>::take(), Scratch::<f64>::take());
        outer.room(33).fill(1.0);
        inner.room(5).fill(2.0);
        assert_eq!(outer.numbers().as_ptr().align_offset(64), 0);
        assert!(outer.numbers()[..33].iter().all(|x| x.to_bits() == 1_f32.to_bits()));
        assert!(inner.numbers()[..5].iter().all(|x| x.to_bits() == 2_f64.to_bits()));
    }

    #[test]
    fn memory_given_back_is_used_again() {
        let mut first = Scratch::<f32>::take();
        let address = first.room(1000).as_ptr();
        drop(first);
        assert_eq!(Scratch::<f32>::take().room(500).as_ptr(), address);
    }
}
