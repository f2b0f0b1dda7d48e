//! Devices and contexts.

use std::ffi::{c_char, c_int, c_uint};

use super::{CURRENT, Done, Handle, Tag, answer, current, misuse, put};
use crate::machine::{Machine, machine};
use crate::settings::settings;
use crate::status::Status;

/// What the driver supports: CUDA 13.0.
const VERSION: c_int = 13_000;
/// Shared memory of a block: without and with its attribute. Source: CUDA C++ Programming Guide, "Technical
/// Specifications per Compute Capability", 8.0 and 9.0.
pub(crate) const SHARED_BYTES: usize = 48 * 1024;

/// Shared memory of a block that asked for it.
pub(crate) fn most_shared_bytes() -> usize {
    if settings().architecture >= 90 { 227 * 1024 } else { 163 * 1024 }
}

fn device_of(machine: &Machine, device: c_int, of: &str) -> Result<usize, Status> {
    let number = usize::try_from(device).ok().filter(|number| *number < machine.devices.len());
    number.ok_or_else(|| misuse(Status::INVALID_DEVICE, &format!("{of} of device {device}")))
}

/// `cuInit`.
#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: c_uint) -> Status {
    if flags != 0 {
        return misuse(Status::INVALID_VALUE, "cuInit with flags");
    }
    let mut machine = machine();
    machine.initialised = true;
    if machine.devices.is_empty() { Status::NO_DEVICE } else { Status::SUCCESS }
}

/// `cuDriverGetVersion`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> Status {
    // SAFETY: promised by the caller.
    answer(unsafe { put(version, VERSION, "cuDriverGetVersion") })
}

/// `cuDeviceGetCount`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> Status {
    let devices = c_int::try_from(machine().devices.len()).unwrap_or(c_int::MAX);
    // SAFETY: promised by the caller.
    answer(unsafe { put(count, devices, "cuDeviceGetCount") })
}

/// `cuDeviceGet`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> Status {
    let found = device_of(&machine(), ordinal, "cuDeviceGet");
    // SAFETY: promised by the caller.
    answer(found.and_then(|_| unsafe { put(device, ordinal, "cuDeviceGet") }))
}

/// `cuDeviceGetName`.
///
/// # Safety
/// `name` has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(
    name: *mut c_char,
    length: c_int,
    device: c_int,
) -> Status {
    let get = || -> Done {
        device_of(&machine(), device, "cuDeviceGetName")?;
        let text = format!("softcuda sm_{}\0", settings().architecture);
        let length = usize::try_from(length).unwrap_or(0).min(text.len());
        // SAFETY: promised by the caller.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), name, length) };
        Ok(())
    };
    answer(get())
}

/// `cuDeviceGetUuid_v2`: the same for one device in every process.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: c_int) -> Status {
    let mut bytes = *b"softcuda device ";
    bytes[15] = b'a' + u8::try_from(device).unwrap_or(0);
    let found = device_of(&machine(), device, "cuDeviceGetUuid");
    // SAFETY: promised by the caller.
    answer(found.and_then(|_| unsafe { put(uuid, bytes, "cuDeviceGetUuid") }))
}

/// `cuDeviceTotalMem_v2`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) -> Status {
    let found = device_of(&machine(), device, "cuDeviceTotalMem");
    let all = usize::try_from(settings().memory_bytes).unwrap_or(usize::MAX);
    // SAFETY: promised by the caller.
    answer(found.and_then(|_| unsafe { put(bytes, all, "cuDeviceTotalMem") }))
}

/// `CUdevice_attribute` by number. Source: CUDA Driver API, "Data types used by CUDA driver".
fn attribute(number: c_int) -> Option<c_int> {
    let architecture = c_int::try_from(settings().architecture).unwrap_or(0);
    let shared = |bytes: usize| c_int::try_from(bytes).unwrap_or(c_int::MAX);
    Some(match number {
        1..=3 => 1024,
        4 => 64,
        5 => c_int::MAX,
        6 | 7 => 65_535,
        8 => shared(SHARED_BYTES),
        10 => 32,
        16 => 132,
        75 => architecture / 10,
        76 => architecture % 10,
        97 => shared(most_shared_bytes()),
        115 => 1,
        _ => return None,
    })
}

/// `cuDeviceGetAttribute`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(
    value: *mut c_int,
    number: c_int,
    device: c_int,
) -> Status {
    let get = || {
        device_of(&machine(), device, "cuDeviceGetAttribute")?;
        let found = attribute(number).ok_or_else(|| {
            misuse(Status::NOT_SUPPORTED, &format!("softcuda knows no attribute {number}"))
        })?;
        // SAFETY: promised by the caller.
        unsafe { put(value, found, "cuDeviceGetAttribute") }
    };
    answer(get())
}

/// `cuDevicePrimaryCtxRetain`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int) -> Status {
    let mut machine = machine();
    let mut retain = || {
        if !machine.initialised {
            let text = "cuDevicePrimaryCtxRetain before cuInit";
            return Err(misuse(Status::NOT_INITIALIZED, text));
        }
        let number = device_of(&machine, device, "cuDevicePrimaryCtxRetain")?;
        machine.devices[number].retained = true;
        // SAFETY: promised by the caller.
        unsafe { put(context, Tag::Context.handle(number as u64), "cuDevicePrimaryCtxRetain") }
    };
    answer(retain())
}

/// The device of a context.
pub(crate) fn device_of_context(
    machine: &Machine,
    context: Handle,
    of: &str,
) -> Result<usize, Status> {
    let number = Tag::Context.number(context).and_then(|number| usize::try_from(number).ok());
    let number = number.filter(|number| *number < machine.devices.len());
    number.ok_or_else(|| misuse(Status::INVALID_CONTEXT, &format!("{of} of what is no context")))
}

/// `cuCtxSetCurrent`.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Handle) -> Status {
    if context.is_null() {
        CURRENT.set(None);
        return Status::SUCCESS;
    }
    let found = device_of_context(&machine(), context, "cuCtxSetCurrent");
    answer(found.map(|device| CURRENT.set(Some(device))))
}

/// `cuCtxGetCurrent`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut Handle) -> Status {
    let handle =
        CURRENT.get().map_or(std::ptr::null_mut(), |device| Tag::Context.handle(device as u64));
    // SAFETY: promised by the caller.
    answer(unsafe { put(context, handle, "cuCtxGetCurrent") })
}

/// `cuCtxSynchronize`.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSynchronize() -> Status {
    let mut machine = machine();
    let mut wait = || {
        let device = current(&machine, "cuCtxSynchronize")?;
        machine.counters.host_waits += 1;
        let all = machine.capture_all(device);
        machine.synchronise(&all);
        super::healthy(&machine, device)
    };
    answer(wait())
}

/// `cuGetErrorName`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(error: Status, text: *mut *const c_char) -> Status {
    let Some((name, _)) = error.texts() else { return Status::INVALID_VALUE };
    // SAFETY: promised by the caller.
    answer(unsafe { put(text, name.as_ptr(), "cuGetErrorName") })
}

/// `cuGetErrorString`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(error: Status, text: *mut *const c_char) -> Status {
    let Some((_, said)) = error.texts() else { return Status::INVALID_VALUE };
    // SAFETY: promised by the caller.
    answer(unsafe { put(text, said.as_ptr(), "cuGetErrorString") })
}
