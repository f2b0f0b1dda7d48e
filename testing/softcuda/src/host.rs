//! The few functions of this machine's C library that are needed, on Linux: memory, libraries, the end of the process.

use std::ffi::{c_char, c_int, c_void};

pub(crate) const PROT_NONE: c_int = 0;
pub(crate) const PROT_READ: c_int = 1;
pub(crate) const PROT_WRITE: c_int = 2;
pub(crate) const MAP_PRIVATE: c_int = 0x02;
pub(crate) const MAP_ANONYMOUS: c_int = 0x20;
pub(crate) const MAP_NORESERVE: c_int = 0x4000;
pub(crate) const MAP_FAILED: *mut c_void = usize::MAX as *mut c_void;
pub(crate) const MADV_DONTNEED: c_int = 4;
pub(crate) const RTLD_NOW: c_int = 2;
pub(crate) const RTLD_LOCAL: c_int = 0;

/// What `dladdr` says of an address.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct DlInfo {
    pub(crate) file: *const c_char,
    pub(crate) start: *mut c_void,
    pub(crate) symbol: *const c_char,
    pub(crate) address: *mut c_void,
}

unsafe extern "C" {
    pub(crate) fn mmap(
        at: *mut c_void,
        bytes: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    pub(crate) fn munmap(at: *mut c_void, bytes: usize) -> c_int;
    pub(crate) fn mprotect(at: *mut c_void, bytes: usize, protection: c_int) -> c_int;
    pub(crate) fn madvise(at: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    pub(crate) fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    pub(crate) fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn dlerror() -> *const c_char;
    pub(crate) fn dladdr(at: *const c_void, info: *mut DlInfo) -> c_int;
    pub(crate) fn atexit(last: extern "C" fn()) -> c_int;
}
