//! Asks for memory before it is needed.
//!
//! Processors notice lines that follow each other, but start anew at every row of a matrix; who knows
//! which rows come next says so. Nothing depends on it but time.

/// Asks for the cache line at `place`, which may be any address: nothing is read.
#[inline(always)]
pub(crate) fn prefetch_line<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: asking for a line has no effect on the program, at whatever address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
