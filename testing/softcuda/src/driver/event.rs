//! Events, and those of a whole context.

use std::ffi::c_uint;

use super::context::device_of_context;
use super::stream::stream_of;
use super::{Handle, Tag, answer, current, healthy, misuse, put};
use crate::machine::{Event, Machine, machine};
use crate::status::Status;

/// The event of a handle and its number.
pub(crate) fn event_of(
    machine: &Machine,
    handle: Handle,
    of: &str,
) -> Result<(u64, Event), Status> {
    let number = Tag::Event.number(handle);
    let found = number.and_then(|number| Some((number, machine.events.get(&number)?.clone())));
    found.ok_or_else(|| {
        misuse(Status::INVALID_HANDLE, &format!("{of} of what is no event, or was destroyed"))
    })
}

/// `cuEventCreate`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut Handle, _flags: c_uint) -> Status {
    let mut machine = machine();
    let mut create = || {
        let device = current(&machine, "cuEventCreate")?;
        let number = machine.next_event;
        machine.next_event += 1;
        machine.events.insert(number, Event { device, recorded: None });
        // SAFETY: promised by the caller.
        unsafe { put(event, Tag::Event.handle(number), "cuEventCreate") }
    };
    answer(create())
}

/// `cuEventDestroy_v2`. Who waits for it goes on waiting.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: Handle) -> Status {
    let mut machine = machine();
    let found = event_of(&machine, event, "cuEventDestroy");
    answer(found.map(|(number, _)| {
        machine.events.remove(&number);
    }))
}

/// `cuEventRecord`.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: Handle, stream: Handle) -> Status {
    let mut machine = machine();
    let mut record = || {
        let stream = stream_of(&mut machine, stream, "cuEventRecord")?;
        let (number, event) = event_of(&machine, event, "cuEventRecord")?;
        let device = machine.streams[stream as usize].device;
        if event.device != device {
            let text = "cuEventRecord of an event on a stream of another context";
            return Err(misuse(Status::INVALID_HANDLE, text));
        }
        let recorded = Some(machine.capture(stream));
        machine.events.insert(number, Event { device, recorded });
        Ok(())
    };
    answer(record())
}

/// `cuEventSynchronize`.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: Handle) -> Status {
    let mut machine = machine();
    let mut wait = || {
        let (_, event) = event_of(&machine, event, "cuEventSynchronize")?;
        machine.counters.host_waits += 1;
        if let Some(captured) = event.recorded {
            machine.synchronise(&captured);
        }
        healthy(&machine, event.device)
    };
    answer(wait())
}

/// `cuEventQuery`.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventQuery(event: Handle) -> Status {
    let mut machine = machine();
    let mut query = || {
        let (_, event) = event_of(&machine, event, "cuEventQuery")?;
        let captured = event.recorded.unwrap_or_default();
        if !machine.is_done(&captured) {
            machine.run_some_asked();
            return Err(Status::NOT_READY);
        }
        machine.host_knows(&captured);
        healthy(&machine, event.device)
    };
    answer(query())
}

/// `cuCtxRecordEvent`: everything that any stream of the context was given so far.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxRecordEvent(context: Handle, event: Handle) -> Status {
    let mut machine = machine();
    let mut record = || {
        let device = device_of_context(&machine, context, "cuCtxRecordEvent")?;
        let (number, event) = event_of(&machine, event, "cuCtxRecordEvent")?;
        if event.device != device {
            let text = "cuCtxRecordEvent of an event of another context";
            return Err(misuse(Status::INVALID_HANDLE, text));
        }
        healthy(&machine, device)?;
        machine.counters.context_events += 1;
        let recorded = Some(machine.capture_all(device));
        machine.events.insert(number, Event { device, recorded });
        Ok(())
    };
    answer(record())
}

/// `cuCtxWaitEvent`: everything that any stream of the context is given from now on waits.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxWaitEvent(context: Handle, event: Handle) -> Status {
    let mut machine = machine();
    let mut wait = || {
        let device = device_of_context(&machine, context, "cuCtxWaitEvent")?;
        let (_, event) = event_of(&machine, event, "cuCtxWaitEvent")?;
        healthy(&machine, device)?;
        machine.counters.context_events += 1;
        let Some(captured) = event.recorded else {
            crate::finding::found("cuCtxWaitEvent on an event that was never recorded");
            return Ok(());
        };
        machine.all_wait_for(device, &captured);
        Ok(())
    };
    answer(wait())
}
