//! An output that tasks write row by row, each row by one task.

use std::marker::PhantomData;

/// Memory of an output that holds nothing yet.
pub(super) struct Scatter<'a, T> {
    start: *mut T,
    count: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: it only hands out parts that its users promise to be disjoint, and numbers may move to
// other threads.
unsafe impl<T: Send> Sync for Scatter<'_, T> {}

/// Lets `write` write `count` numbers.
///
/// # Safety
/// `write` writes all of them.
pub(super) unsafe fn written<T: Copy>(count: usize, write: impl FnOnce(&Scatter<'_, T>)) -> Vec<T> {
    let mut numbers = Vec::with_capacity(count);
    write(&Scatter { start: numbers.as_mut_ptr(), count, memory: PhantomData });
    // SAFETY: there is room for `count` numbers, and the caller says that all were written.
    unsafe { numbers.set_len(count) };
    numbers
}

impl<T: Copy> Scatter<'_, T> {
    /// Writes numbers from `place` on.
    ///
    /// # Safety
    /// Nobody else writes any of them at the same time.
    #[inline(always)]
    pub(super) unsafe fn put(&self, place: usize, numbers: &[T]) {
        let inside = place <= self.count && numbers.len() <= self.count - place;
        assert!(inside, "{} numbers at {place} of {}", numbers.len(), self.count);
        // SAFETY: inside the output, checked right above; nobody else writes here.
        unsafe { self.start.add(place).copy_from_nonoverlapping(numbers.as_ptr(), numbers.len()) };
    }
}
