//! Memory that was used once stays with the process.
//!
//! Buffers of a training step are freed and wanted again at every step. The C library's allocator
//! would give large ones back to the system each time and get them anew, page by page. With these
//! settings the heap of the main thread, which makes the tensors (`threads.rs`), only grows, and a step
//! after the first takes no page fault.

/// Tells the allocator to keep what is freed. Elsewhere than on Linux with glibc it does nothing.
pub(crate) fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two numbers and touches nothing but the allocator's settings.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}
