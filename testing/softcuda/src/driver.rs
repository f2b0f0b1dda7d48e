//! The functions of libcuda that cudarc and cubecl call, with their documented preconditions.
//!
//! A call that breaks a precondition gives the documented error and is a finding: no correct program makes it.
//! Handles are numbers with a tag, so that one of another kind, a null and one that was destroyed are told
//! apart. Source: CUDA Driver API.

pub mod context;
pub mod event;
pub mod launch;
pub mod memory;
pub mod module;
pub mod stream;

use std::cell::Cell;
use std::ffi::c_void;

use crate::finding::found;
use crate::machine::Machine;
use crate::status::Status;

/// An opaque handle.
pub type Handle = *mut c_void;

/// What a handle is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    Context = 0x50f1,
    Stream = 0x50f2,
    Event = 0x50f3,
    Module = 0x50f4,
    Function = 0x50f5,
    Blas = 0x50f6,
    Descriptor = 0x50f7,
    Layout = 0x50f8,
    Preference = 0x50f9,
    Communicator = 0x50fa,
}

impl Tag {
    /// The handle of this number.
    pub(crate) fn handle(self, number: u64) -> Handle {
        ((self as u64) << 40 | (number + 1)) as Handle
    }

    /// The number of a handle of this kind.
    pub(crate) fn number(self, handle: Handle) -> Option<u64> {
        let bits = handle as u64;
        (bits >> 40 == self as u64).then(|| (bits & ((1 << 40) - 1)) - 1)
    }
}

thread_local! {
    static CURRENT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What a function of the driver does; an error is its result.
pub(crate) type Done = Result<(), Status>;

/// The result of a function.
pub(crate) fn answer(done: Done) -> Status {
    match done {
        Ok(()) => Status::SUCCESS,
        Err(status) => status,
    }
}

/// A broken precondition.
pub(crate) fn misuse(status: Status, text: &str) -> Status {
    found(text);
    status
}

/// The device of the context that is current to this thread.
pub(crate) fn current(machine: &Machine, of: &str) -> Result<usize, Status> {
    if !machine.initialised {
        return Err(misuse(Status::NOT_INITIALIZED, &format!("{of} before cuInit")));
    }
    let device = CURRENT.get().ok_or_else(|| {
        misuse(Status::INVALID_CONTEXT, &format!("{of} on a thread without a current context"))
    })?;
    healthy(machine, device)?;
    Ok(device)
}

/// Did no work of the device fail?
pub(crate) fn healthy(machine: &Machine, device: usize) -> Done {
    machine.devices[device].failure.map_or(Ok(()), Err)
}

/// Writes a result where the caller wants it.
///
/// # Safety
/// The place is null or can be written.
pub(crate) unsafe fn put<T>(place: *mut T, value: T, of: &str) -> Done {
    if place.is_null() {
        return Err(misuse(Status::INVALID_VALUE, &format!("{of}: no place for the result")));
    }
    // SAFETY: promised by the caller.
    unsafe { place.write(value) };
    Ok(())
}
