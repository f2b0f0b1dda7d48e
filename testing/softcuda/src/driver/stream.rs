//! Streams.

use std::ffi::c_uint;

use super::event::event_of;
use super::{Handle, Tag, answer, current, healthy, misuse, put};
use crate::machine::{Machine, machine};
use crate::status::Status;

/// The stream of a handle, null being the default stream of the current context.
pub(crate) fn stream_of(machine: &mut Machine, handle: Handle, of: &str) -> Result<u32, Status> {
    let device = current(machine, of)?;
    // Null, and the default stream by its own names. Source: `CU_STREAM_LEGACY`.
    if handle as usize <= 1 {
        return Ok(machine.default_stream(device));
    }
    let number = Tag::Stream.number(handle).and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| machine.has_stream(*number)).ok_or_else(|| {
        misuse(Status::INVALID_HANDLE, &format!("{of} on what is no stream, or was destroyed"))
    })?;
    if machine.streams[number as usize].device != device {
        let text = format!("{of} on a stream of another context than the current one");
        return Err(misuse(Status::INVALID_HANDLE, &text));
    }
    Ok(number)
}

/// `cuStreamCreate`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut Handle, flags: c_uint) -> Status {
    let mut machine = machine();
    let mut create = || {
        let device = current(&machine, "cuStreamCreate")?;
        if flags > 1 {
            return Err(misuse(Status::INVALID_VALUE, "cuStreamCreate with unknown flags"));
        }
        let number = machine.add_stream(device, flags == 0, false);
        // SAFETY: promised by the caller.
        unsafe { put(stream, Tag::Stream.handle(number.into()), "cuStreamCreate") }
    };
    answer(create())
}

/// `cuStreamDestroy_v2`.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: Handle) -> Status {
    let mut machine = machine();
    let found = stream_of(&mut machine, stream, "cuStreamDestroy");
    answer(found.map(|number| machine.destroy_stream(number)))
}

/// `cuStreamWaitEvent`.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamWaitEvent(stream: Handle, event: Handle, _flags: c_uint) -> Status {
    let mut machine = machine();
    let mut wait = || {
        let stream = stream_of(&mut machine, stream, "cuStreamWaitEvent")?;
        let (_, event) = event_of(&machine, event, "cuStreamWaitEvent")?;
        let Some(captured) = event.recorded else {
            // Documented to do nothing; no program wants that.
            crate::finding::found("cuStreamWaitEvent on an event that was never recorded");
            return Ok(());
        };
        machine.wait_for(stream, &captured);
        Ok(())
    };
    answer(wait())
}

/// `cuStreamSynchronize`.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(stream: Handle) -> Status {
    let mut machine = machine();
    let mut wait = || {
        let stream = stream_of(&mut machine, stream, "cuStreamSynchronize")?;
        machine.counters.host_waits += 1;
        let captured = machine.capture(stream);
        machine.synchronise(&captured);
        healthy(&machine, machine.streams[stream as usize].device)
    };
    answer(wait())
}

/// `cuStreamQuery`.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamQuery(stream: Handle) -> Status {
    let mut machine = machine();
    let mut query = || {
        let stream = stream_of(&mut machine, stream, "cuStreamQuery")?;
        let captured = machine.capture(stream);
        if !machine.is_done(&captured) {
            // Whoever asks again and again must see an end.
            machine.run_some_asked();
            return Err(Status::NOT_READY);
        }
        machine.host_knows(&captured);
        healthy(&machine, machine.streams[stream as usize].device)
    };
    answer(query())
}
