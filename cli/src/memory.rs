//! Memory that was used once stays with the process.
//!
//! Buffers of a training step are freed and wanted again at every step. The system's allocator would
//! give large ones back each time and get them anew, page by page; with this one a step takes what the
//! step before it gave. `docs/decisions/0009-an-allocator-that-keeps.md` says what else was tried.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds until what was freed is given back to the system; it has no name in the crate.
/// Source: `mi_option_t` in `mimalloc.h`, version 2.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Tells the allocator to keep what is freed.
pub(crate) fn keep() {
    purge_after(-1);
}

/// Tells the allocator to give back what stays free for a second: where ranks hold pieces of tensors, whole tensors
/// that were freed are of no use to them.
pub(crate) fn give_back() {
    purge_after(1000);
}

fn purge_after(milliseconds: std::ffi::c_long) {
    // SAFETY: sets a number of the allocator, which it may read at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, milliseconds) };
}
