//! A page of a mapped file that is not there any more ends a process with SIGBUS: the file was cut by
//! another program, or its disk failed. Sizes are looked at before a page is touched; what happens in
//! between is at least told.

/// Ends the process with a message and the exit code of bad data instead of a bare SIGBUS.
#[cfg(target_os = "linux")]
pub(crate) fn explain() {
    // SAFETY: an all-zero `sigaction` is a valid value of that struct of integers and pointers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = tell as *const () as libc::sighandler_t;
    // SAFETY: `tell` has the signature of a handler without SA_SIGINFO, and calls nothing but
    // functions that a handler may call. If the call fails, the signal ends the process as ever.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) };
}

/// Other systems use this signal for more than lost pages.
#[cfg(not(target_os = "linux"))]
pub(crate) fn explain() {}

#[cfg(target_os = "linux")]
extern "C" fn tell(_signal: libc::c_int) {
    const MESSAGE: &[u8] = b"error: a file that is in use was cut short by another program, or its \
        disk failed (SIGBUS); the last checkpoint is whole: `genesis verify` on the dataset names the \
        file, restore it and go on with --resume\n";
    // SAFETY: the pointer and length are those of a constant; write and _exit are async-signal-safe.
    unsafe {
        libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(crate::exit::Code::Data as libc::c_int)
    }
}
