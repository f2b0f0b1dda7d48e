//! Addresses taken from the machine, whose pages come with the first write; and what one access is.

use std::ops::Range;
use std::ptr;

use crate::host;

/// One access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) bytes: usize,
    pub(super) writes: bool,
}

/// A range of addresses, zero until written.
#[derive(Debug)]
pub(super) struct Mapping {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: plain memory of this process, which the lock around the machine guards.
unsafe impl Send for Mapping {}

impl Mapping {
    pub(super) fn reserve(bytes: usize) -> Option<Self> {
        let protection = host::PROT_READ | host::PROT_WRITE;
        let flags = host::MAP_PRIVATE | host::MAP_ANONYMOUS | host::MAP_NORESERVE;
        // SAFETY: new anonymous memory, of nobody else.
        let start = unsafe { host::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        (start != host::MAP_FAILED).then(|| Self { start: start.cast(), bytes })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.bytes
    }

    fn slice(&self, first: usize, bytes: usize) -> &[u8] {
        assert!(first + bytes <= self.bytes, "within the mapping");
        // SAFETY: within the mapping by the line above; readable from the beginning.
        unsafe { std::slice::from_raw_parts(self.start.add(first), bytes) }
    }

    /// The number at this index.
    pub(super) fn at<T: Copy>(&mut self, index: usize) -> &mut T {
        assert!((index + 1) * size_of::<T>() <= self.bytes, "within the mapping");
        // SAFETY: within the mapping, whose start is that of a page; every pattern of bits is a `T` here.
        unsafe { &mut *self.start.cast::<T>().add(index) }
    }

    /// The number at this index.
    pub(super) fn read<T: Copy>(&self, index: usize) -> &T {
        assert!((index + 1) * size_of::<T>() <= self.bytes, "within the mapping");
        // SAFETY: as in `at`.
        unsafe { &*self.start.cast::<T>().add(index) }
    }

    /// Are all these bytes this one?
    pub(super) fn is_filled(&self, first: usize, bytes: usize, byte: u8) -> bool {
        let slice = self.slice(first, bytes);
        if let Ok(four) = <[u8; 4]>::try_from(slice) {
            return four == [byte; 4];
        }
        slice.iter().all(|found| *found == byte)
    }

    pub(super) fn fill(&mut self, first: usize, bytes: usize, byte: u8) {
        assert!(first + bytes <= self.bytes, "within the mapping");
        // SAFETY: within the mapping by the line above.
        unsafe { self.start.add(first).write_bytes(byte, bytes) };
    }

    /// Zeros again, and their pages given back.
    pub(super) fn forget(&mut self, first: usize, bytes: usize) {
        const PAGE: usize = 4096;
        let (from, to) = (first.next_multiple_of(PAGE), (first + bytes) / PAGE * PAGE);
        if from >= to {
            return self.fill(first, bytes, 0);
        }
        self.fill(first, from - first, 0);
        self.fill(to, first + bytes - to, 0);
        // SAFETY: whole pages within the mapping, which read as zeros from now on.
        unsafe { host::madvise(self.start.add(from).cast(), to - from, host::MADV_DONTNEED) };
    }
}
