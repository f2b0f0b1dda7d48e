//! Memory that was used once stays with the process.
//!
//! Buffers of a training step are freed and wanted again at every step. The C library's allocator
//! would give large ones back to the system each time and get them anew, page by page: two thirds
//! of all page faults of a small run, and five per cent of its time.

/// Tells the allocator to keep what is freed. Elsewhere than on Linux with glibc it does nothing.
pub(crate) fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest size that the allocator lets one ask for.
        const LARGEST_BLOCK: libc::c_int = 32 << 20;
        // SAFETY: `mallopt` takes two numbers and touches nothing but the allocator's settings.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_BLOCK);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}
