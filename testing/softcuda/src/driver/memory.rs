//! Memory of devices and page-locked memory of the host; copies and fills.

use std::ffi::{c_uchar, c_uint, c_void};
use std::ptr;

use super::stream::stream_of;
use super::{Done, Handle, answer, current, healthy, misuse, put};
use crate::arena::Now;
use crate::host;
use crate::machine::{Machine, machine};
use crate::settings::settings;
use crate::status::Status;
use crate::work::{Copy, Side, Task};

/// Takes memory, when the device has so much left.
fn allocate(machine: &mut Machine, device: usize, bytes: usize, of: &str) -> Result<usize, Status> {
    if bytes == 0 {
        return Err(misuse(Status::INVALID_VALUE, &format!("{of} of no bytes")));
    }
    let used = machine.devices[device].used_bytes + bytes as u64;
    if used > settings().memory_bytes {
        return Err(Status::OUT_OF_MEMORY);
    }
    let start = machine.arena.promise(bytes, device).ok_or(Status::OUT_OF_MEMORY)?;
    machine.devices[device].used_bytes = used;
    machine.counters.allocations += 1;
    machine.counters.allocated_bytes += bytes as u64;
    Ok(start)
}

/// The memory that begins here is given back.
fn release(machine: &mut Machine, start: usize, of: &str) -> Result<usize, Status> {
    let (bytes, device) = machine.arena.live(start).ok_or_else(|| {
        let text = format!("{of} of {start:#x}, where no memory begins or which was freed");
        misuse(Status::INVALID_VALUE, &text)
    })?;
    machine.devices[device].used_bytes -= bytes as u64;
    Ok(device)
}

/// `cuMemAllocAsync`: there from its turn in the stream on.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocAsync(at: *mut u64, bytes: usize, stream: Handle) -> Status {
    let mut machine = machine();
    let mut take = || {
        let stream = stream_of(&mut machine, stream, "cuMemAllocAsync")?;
        let device = machine.streams[stream as usize].device;
        let start = allocate(&mut machine, device, bytes, "cuMemAllocAsync")?;
        machine.give(stream, "an allocation", Task::Begin(start));
        // SAFETY: promised by the caller.
        unsafe { put(at, start as u64, "cuMemAllocAsync") }
    };
    answer(take())
}

/// `cuMemAlloc_v2`: there at once, for every stream.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(at: *mut u64, bytes: usize) -> Status {
    let mut machine = machine();
    let mut take = || {
        let device = current(&machine, "cuMemAlloc")?;
        let start = allocate(&mut machine, device, bytes, "cuMemAlloc")?;
        machine.arena.start(Now::default());
        machine.arena.begin(start);
        // SAFETY: promised by the caller.
        unsafe { put(at, start as u64, "cuMemAlloc") }
    };
    answer(take())
}

/// `cuMemFreeAsync`: gone from its turn in the stream on.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(at: u64, stream: Handle) -> Status {
    let mut machine = machine();
    let mut give_back = || {
        let stream = stream_of(&mut machine, stream, "cuMemFreeAsync")?;
        release(&mut machine, at as usize, "cuMemFreeAsync")?;
        machine.give(stream, "a freeing", Task::End(at as usize));
        Ok(())
    };
    answer(give_back())
}

/// `cuMemFree_v2`: waits for everything.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(at: u64) -> Status {
    if at == 0 {
        return Status::SUCCESS;
    }
    let mut machine = machine();
    let mut give_back = || {
        let current = current(&machine, "cuMemFree")?;
        let device = release(&mut machine, at as usize, "cuMemFree")?;
        machine.counters.host_waits += 1;
        let all = machine.capture_all(device);
        machine.synchronise(&all);
        healthy(&machine, current)?;
        let clock = machine.host_clock();
        machine.arena.start(Now { device, clock, ..Now::default() });
        machine.arena.end(at as usize).map_err(|text| misuse(Status::INVALID_VALUE, &text))
    };
    answer(give_back())
}

/// `cuMemGetInfo_v2`.
///
/// # Safety
/// Both places can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Status {
    let machine = machine();
    let get = || {
        let device = current(&machine, "cuMemGetInfo")?;
        let all = settings().memory_bytes;
        let left = all - machine.devices[device].used_bytes;
        // SAFETY: promised by the caller.
        unsafe {
            put(free, usize::try_from(left).unwrap_or(usize::MAX), "cuMemGetInfo")?;
            put(total, usize::try_from(all).unwrap_or(usize::MAX), "cuMemGetInfo")
        }
    };
    answer(get())
}

/// `cuMemAllocHost_v2`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocHost_v2(at: *mut *mut c_void, bytes: usize) -> Status {
    let mut machine = machine();
    let mut take = || {
        current(&machine, "cuMemAllocHost")?;
        if bytes == 0 {
            return Err(misuse(Status::INVALID_VALUE, "cuMemAllocHost of no bytes"));
        }
        let protection = host::PROT_READ | host::PROT_WRITE;
        let flags = host::MAP_PRIVATE | host::MAP_ANONYMOUS | host::MAP_NORESERVE;
        // SAFETY: new memory of nobody else.
        let start = unsafe { host::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == host::MAP_FAILED {
            return Err(Status::OUT_OF_MEMORY);
        }
        machine.pinned.insert(start as usize, bytes);
        // SAFETY: promised by the caller.
        unsafe { put(at, start, "cuMemAllocHost") }
    };
    answer(take())
}

/// `cuMemFreeHost`. Memory that a copy in a queue still needs is a finding.
///
/// # Safety
/// Nobody uses the memory any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemFreeHost(at: *mut c_void) -> Status {
    let mut machine = machine();
    let mut give_back = || {
        let start = at as usize;
        let Some(bytes) = machine.pinned.remove(&start) else {
            return Err(misuse(Status::INVALID_VALUE, "cuMemFreeHost of what is not page-locked"));
        };
        let needed = machine.streams.iter().any(|stream| {
            stream.queue.iter().any(|queued| match &queued.task {
                Task::Copy(copy) => [copy.from, copy.to]
                    .iter()
                    .any(|side| !side.is_device && (start..start + bytes).contains(&side.at)),
                _ => false,
            })
        });
        if needed {
            let text = "cuMemFreeHost of memory that a copy in a queue needs";
            machine.pinned.insert(start, bytes);
            return Err(misuse(Status::INVALID_VALUE, text));
        }
        // SAFETY: the mapping of `cuMemAllocHost`, which no work needs any more.
        unsafe { host::munmap(at, bytes) };
        Ok(())
    };
    answer(give_back())
}

fn is_pinned(machine: &Machine, at: usize, bytes: usize) -> bool {
    let found = machine.pinned.range(..=at).next_back();
    found.is_some_and(|(start, all)| at + bytes <= start + all)
}

/// Gives a copy to a stream: pageable memory of the host is read at once and written before the call returns.
/// Source: CUDA Driver API, "API synchronization behavior".
fn give_copy(machine: &mut Machine, stream: Handle, mut copy: Copy, of: &'static str) -> Done {
    let stream = stream_of(machine, stream, of)?;
    let span = |pitch: usize| {
        if copy.rows == 0 { 0 } else { (copy.rows - 1) * pitch + copy.width }
    };
    let (from_bytes, to_bytes) = (span(copy.from.pitch), span(copy.to.pitch));
    if to_bytes == 0 || copy.width == 0 {
        return Ok(());
    }
    for (side, bytes) in [(copy.from, from_bytes), (copy.to, to_bytes)] {
        let is_device = machine.arena.has(side.at);
        if is_device != side.is_device || side.at == 0 {
            let (said, is) = (side_name(side.is_device), side_name(is_device));
            let text = format!("{of}: {bytes} bytes said to be of {said} are of {is}");
            return Err(misuse(Status::INVALID_VALUE, &text));
        }
    }
    if !copy.from.is_device && !is_pinned(machine, copy.from.at, from_bytes) {
        // SAFETY: the caller of a copy says that so many bytes can be read.
        let bytes = unsafe { std::slice::from_raw_parts(copy.from.at as *const u8, from_bytes) };
        let bytes = bytes.to_vec();
        copy.from.at = bytes.as_ptr() as usize;
        copy.staged = Some(bytes);
    }
    let waits = !copy.to.is_device && !is_pinned(machine, copy.to.at, to_bytes);
    machine.give(stream, of, Task::Copy(copy));
    if waits {
        machine.counters.host_waits += 1;
        let captured = machine.capture(stream);
        machine.synchronise(&captured);
    }
    healthy(machine, machine.streams[stream as usize].device)
}

fn side_name(is_device: bool) -> &'static str {
    if is_device { "a device" } else { "the host" }
}

fn row(at: usize, is_device: bool) -> Side {
    Side { at, pitch: 0, is_device }
}

/// `cuMemcpyHtoDAsync_v2`.
///
/// # Safety
/// So many bytes of the host can be read, until the stream has done it where they are page-locked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const c_void,
    bytes: usize,
    stream: Handle,
) -> Status {
    let (from, to) = (row(from as usize, false), row(to as usize, true));
    let copy = Copy { from, to, width: bytes, rows: 1, staged: None };
    answer(give_copy(&mut machine(), stream, copy, "cuMemcpyHtoDAsync"))
}

/// `cuMemcpyDtoHAsync_v2`.
///
/// # Safety
/// So many bytes of the host can be written, until the stream has done it where they are page-locked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> Status {
    let (from, to) = (row(from as usize, true), row(to as usize, false));
    let copy = Copy { from, to, width: bytes, rows: 1, staged: None };
    answer(give_copy(&mut machine(), stream, copy, "cuMemcpyDtoHAsync"))
}

/// `cuMemcpyDtoDAsync_v2`.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: Handle) -> Status {
    let (from, to) = (row(from as usize, true), row(to as usize, true));
    let copy = Copy { from, to, width: bytes, rows: 1, staged: None };
    answer(give_copy(&mut machine(), stream, copy, "cuMemcpyDtoDAsync"))
}

/// One side of `CUDA_MEMCPY2D_v2`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Side2 {
    x_bytes: usize,
    y: usize,
    kind: c_uint,
    host: usize,
    device: u64,
    array: Handle,
    pitch: usize,
}

/// `CUDA_MEMCPY2D_v2`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Copy2 {
    from: Side2,
    to: Side2,
    width: usize,
    rows: usize,
}

impl Side2 {
    fn side(self, width: usize, rows: usize) -> Result<Side, Status> {
        // Source: `CUmemorytype`.
        let (at, is_device) = match self.kind {
            1 => (self.host, false),
            2 => (self.device as usize, true),
            other => {
                let text = format!("softcuda copies no memory of kind {other}");
                return Err(misuse(Status::NOT_SUPPORTED, &text));
            }
        };
        if rows > 1 && self.pitch < width {
            let text = format!("cuMemcpy2DAsync: rows of {width} bytes every {} bytes", self.pitch);
            return Err(misuse(Status::INVALID_VALUE, &text));
        }
        Ok(Side { at: at + self.x_bytes + self.y * self.pitch, pitch: self.pitch, is_device })
    }
}

/// `cuMemcpy2DAsync_v2`.
///
/// # Safety
/// The description can be read, and memory of the host as with `cuMemcpyHtoDAsync`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpy2DAsync_v2(copy: *const Copy2, stream: Handle) -> Status {
    let give = || {
        if copy.is_null() {
            return Err(misuse(Status::INVALID_VALUE, "cuMemcpy2DAsync of nothing"));
        }
        // SAFETY: promised by the caller.
        let Copy2 { from, to, width, rows } = unsafe { *copy };
        let (from, to) = (from.side(width, rows)?, to.side(width, rows)?);
        let copy = Copy { from, to, width, rows, staged: None };
        give_copy(&mut machine(), stream, copy, "cuMemcpy2DAsync")
    };
    answer(give())
}

/// `cuMemsetD8Async`.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(at: u64, byte: c_uchar, bytes: usize, stream: Handle) -> Status {
    let mut machine = machine();
    let mut give = || {
        let stream = stream_of(&mut machine, stream, "cuMemsetD8Async")?;
        machine.give(stream, "cuMemsetD8Async", Task::Fill { at: at as usize, byte, bytes });
        Ok(())
    };
    answer(give())
}
