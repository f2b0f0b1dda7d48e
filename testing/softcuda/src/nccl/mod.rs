//! The functions of libnccl that Genesis calls, between processes of one machine, with their documented
//! preconditions.
//!
//! A call that breaks a precondition gives the documented error and is a finding. Results come in the order of
//! ranks. Faults are planted by the environment (`settings.rs`). Source: NCCL user guide, version 2.27.
//!
//! ```text
//! communicator.rs   what one rank may call when
//! hub.rs            where ranks meet: in the process that made the id
//! operation.rs      what an operation gives
//! wire.rs           messages between the two
//! ```

mod communicator;
mod hub;
mod operation;
mod wire;

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::{Handle, Tag, current, stream::stream_of};
use crate::finding::found;
use crate::machine::machine;
use crate::settings::settings;
use communicator::{Communicator, Link, State};
use operation::{Kind, Operation, size_of_dtype};
use wire::Frame;

/// `ncclResult_t`.
pub const SUCCESS: c_int = 0;
/// `ncclUnhandledCudaError`.
pub const UNHANDLED_CUDA_ERROR: c_int = 1;
/// `ncclSystemError`.
pub const SYSTEM_ERROR: c_int = 2;
/// `ncclInvalidArgument`.
pub const INVALID_ARGUMENT: c_int = 4;
/// `ncclInvalidUsage`.
pub const INVALID_USAGE: c_int = 5;
/// `ncclRemoteError`.
pub const REMOTE_ERROR: c_int = 6;
/// `ncclInProgress`.
pub const IN_PROGRESS: c_int = 7;

/// `ncclUniqueId`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct UniqueId(pub [u8; 128]);

/// What an id of this library begins with.
const ID: &[u8] = b"softcuda-nccl-";

/// `ncclConfig_t` as of version 2.14; later ones are longer.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Config {
    /// Its bytes.
    pub size: usize,
    /// `0xcafebeef`.
    pub magic: c_uint,
    /// The version it was written for.
    pub version: c_uint,
    /// Whether calls wait for what they start.
    pub blocking: c_int,
}

static COMMUNICATORS: Mutex<Vec<Communicator>> = Mutex::new(Vec::new());

/// A call of an operation in a group.
struct Grouped {
    handle: Handle,
    operation: Operation,
    from: usize,
    to: usize,
    stream: usize,
    of: &'static str,
}

thread_local! {
    /// Groups within each other, and what is called in them.
    static GROUP: RefCell<(u32, Vec<Grouped>)> = const { RefCell::new((0, Vec::new())) };
}

fn communicators() -> MutexGuard<'static, Vec<Communicator>> {
    COMMUNICATORS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn misuse(status: c_int, text: &str) -> c_int {
    found(text);
    status
}

fn answer(done: Result<c_int, c_int>) -> c_int {
    done.unwrap_or_else(|status| status)
}

/// Does something with a communicator that is neither destroyed nor aborted.
fn with<T>(
    handle: Handle,
    of: &str,
    work: impl FnOnce(&mut Communicator) -> Result<T, c_int>,
) -> Result<T, c_int> {
    let number = Tag::Communicator.number(handle).and_then(|it| usize::try_from(it).ok());
    let mut all = communicators();
    let found = number
        .and_then(|number| all.get_mut(number))
        .ok_or_else(|| misuse(INVALID_ARGUMENT, &format!("{of} of what is no communicator")))?;
    if matches!(found.state, State::Aborted | State::Destroyed) {
        let text = format!("{of} of a communicator that is {:?}", found.state);
        return Err(misuse(INVALID_ARGUMENT, &text));
    }
    work(found)
}

/// `ncclGetVersion`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclGetVersion(version: *mut c_int) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { version.write(c_int::try_from(settings().nccl.version).unwrap_or(0)) };
    SUCCESS
}

/// `ncclGetUniqueId`: from now on this process is where its ranks meet.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclGetUniqueId(id: *mut UniqueId) -> c_int {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = [ID, format!("{}-{number}", std::process::id()).as_bytes()].concat();
    let Ok(listener) = wire::listen(&String::from_utf8_lossy(&name)) else { return SYSTEM_ERROR };
    hub::serve(listener);
    let mut bytes = [0; 128];
    bytes[..name.len()].copy_from_slice(&name);
    // SAFETY: promised by the caller.
    unsafe { id.write(UniqueId(bytes)) };
    SUCCESS
}

/// What a configuration asks for: does the communicator block?
fn checked(config: Config) -> Result<bool, c_int> {
    let Config { size, magic, version, blocking } = config;
    if magic != 0xcafe_beef || size < size_of::<Config>() || version < 21_400 {
        let text = "ncclConfig_t was not made by NCCL_CONFIG_INITIALIZER of 2.14 or later";
        return Err(misuse(INVALID_ARGUMENT, text));
    }
    match blocking {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(misuse(INVALID_ARGUMENT, &format!("ncclConfig_t.blocking is {other}"))),
    }
}

/// `ncclCommInitRankConfig`.
///
/// # Safety
/// The places can be read and written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclCommInitRankConfig(
    handle: *mut Handle,
    world: c_int,
    id: UniqueId,
    rank: c_int,
    config: *mut Config,
) -> c_int {
    let join = || {
        let device = current(&machine(), "ncclCommInitRankConfig");
        let device = device.map_err(|_| UNHANDLED_CUDA_ERROR)?;
        // SAFETY: promised by the caller.
        let blocking = if config.is_null() { true } else { checked(unsafe { *config })? };
        if blocking {
            let text =
                "softcuda joins no communicator that blocks: a rank that is missing would hang it";
            return Err(misuse(INVALID_ARGUMENT, text));
        }
        if rank < 0 || rank >= world || !id.0.starts_with(ID) {
            let text =
                format!("ncclCommInitRankConfig of rank {rank} of {world}, or of what is no id");
            return Err(misuse(INVALID_ARGUMENT, &text));
        }
        let name = String::from_utf8_lossy(&id.0).trim_end_matches('\0').to_owned();
        let link = wire::connect(&name).and_then(Link::new).map_err(|_| SYSTEM_ERROR)?;
        let mut hello =
            Frame::new(wire::Kind::Hello, u64::from(rank.unsigned_abs()), &device.to_string());
        hello.more[0] = u64::from(world.unsigned_abs());
        link.say(&hello);
        let world = usize::try_from(world).unwrap_or(0);
        let mut all = communicators();
        all.push(Communicator::new(link, (rank, world), device, blocking));
        // SAFETY: promised by the caller.
        unsafe { handle.write(Tag::Communicator.handle(all.len() as u64 - 1)) };
        Ok(IN_PROGRESS)
    };
    answer(join())
}

/// `ncclCommGetAsyncError`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ncclCommGetAsyncError(handle: Handle, state: *mut c_int) -> c_int {
    let mut machine = machine();
    answer(with(handle, "ncclCommGetAsyncError", |found| {
        // SAFETY: promised by the caller.
        unsafe { state.write(found.progress(&mut machine)) };
        Ok(SUCCESS)
    }))
}

/// `ncclCommFinalize`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclCommFinalize(handle: Handle) -> c_int {
    answer(with(handle, "ncclCommFinalize", Communicator::finalize))
}

/// `ncclCommDestroy`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclCommDestroy(handle: Handle) -> c_int {
    answer(with(handle, "ncclCommDestroy", Communicator::destroy))
}

/// `ncclCommAbort`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclCommAbort(handle: Handle) -> c_int {
    answer(with(handle, "ncclCommAbort", |found| Ok(found.abort())))
}

/// `ncclGetErrorString`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclGetErrorString(status: c_int) -> *const c_char {
    let text: &CStr = match status {
        SUCCESS => c"no error",
        UNHANDLED_CUDA_ERROR => c"unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
        SYSTEM_ERROR => c"unhandled system error (run with NCCL_DEBUG=INFO for details)",
        INVALID_ARGUMENT => c"invalid argument (run with NCCL_DEBUG=WARN for details)",
        INVALID_USAGE => c"invalid usage (run with NCCL_DEBUG=WARN for details)",
        REMOTE_ERROR => c"remote process exited or there was a network error",
        IN_PROGRESS => c"NCCL operation in progress",
        _ => c"unknown result code",
    };
    text.as_ptr()
}

/// `ncclGetLastError`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclGetLastError(handle: Handle) -> *const c_char {
    let number = Tag::Communicator.number(handle).and_then(|it| usize::try_from(it).ok());
    let all = communicators();
    let said = number.and_then(|number| all.get(number)?.last_error.clone());
    // Read by the caller whenever it likes.
    said.map_or(c"".as_ptr(), |said| said.into_raw().cast_const())
}

/// `ncclGroupStart`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclGroupStart() -> c_int {
    GROUP.with_borrow_mut(|(depth, _)| *depth += 1);
    SUCCESS
}

/// `ncclGroupEnd`: what was called in the outermost group is given to its streams.
#[unsafe(no_mangle)]
pub extern "C" fn ncclGroupEnd() -> c_int {
    let grouped = GROUP.with_borrow_mut(|(depth, grouped)| {
        *depth = depth.checked_sub(1)?;
        Some(if *depth == 0 { std::mem::take(grouped) } else { Vec::new() })
    });
    let Some(grouped) = grouped else {
        return misuse(INVALID_USAGE, "ncclGroupEnd without ncclGroupStart");
    };
    grouped.into_iter().map(|it| answer(it.give())).fold(SUCCESS, c_int::max)
}

impl Grouped {
    fn give(&self) -> Result<c_int, c_int> {
        let of = self.of;
        let mut machine = machine();
        with(self.handle, of, |found| {
            found.may_operate(of)?;
            let stream = stream_of(&mut machine, self.stream as Handle, of)
                .map_err(|_| UNHANDLED_CUDA_ERROR)?;
            if machine.streams[stream as usize].device != found.device {
                let text = format!("{of} on a stream of another device than its communicator's");
                return Err(misuse(INVALID_USAGE, &text));
            }
            size_of_dtype(self.operation.dtype).ok_or_else(|| {
                misuse(INVALID_ARGUMENT, &format!("{of} of type {}", self.operation.dtype))
            })?;
            self.operation.is_known().map_err(|text| misuse(INVALID_ARGUMENT, &text))?;
            let root = usize::try_from(self.operation.root).ok();
            if root.is_none_or(|root| root >= found.world) {
                let text = format!("{of} with root {}", self.operation.root);
                return Err(misuse(INVALID_ARGUMENT, &text));
            }
            let sent = self.operation.sent_bytes(found.world);
            let received = self.operation.received_bytes(found.world);
            for (at, bytes) in [(self.from, sent), (self.to, received)] {
                let device = machine.arena.holds(at, bytes).map_err(|why| {
                    misuse(INVALID_ARGUMENT, &format!("{of} of {bytes} bytes: {why}"))
                })?;
                if device != found.device {
                    let text = format!("{of} of memory of another device than its communicator's");
                    return Err(misuse(INVALID_ARGUMENT, &text));
                }
            }
            let places = (self.from, self.to);
            Ok(found.issue(&mut machine, self.operation, places, stream))
        })
    }
}

/// Gives an operation, or keeps it until its group ends.
fn operate(
    of: &'static str,
    operation: Operation,
    (from, to): (*const c_void, *mut c_void),
    (handle, stream): (Handle, Handle),
) -> c_int {
    let call = Grouped {
        handle,
        operation,
        from: from as usize,
        to: to as usize,
        stream: stream as usize,
        of,
    };
    GROUP.with_borrow_mut(|(depth, grouped)| {
        if *depth == 0 {
            return answer(call.give());
        }
        grouped.push(call);
        SUCCESS
    })
}

/// `ncclAllReduce`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclAllReduce(
    from: *const c_void,
    to: *mut c_void,
    count: usize,
    dtype: c_int,
    by: c_int,
    handle: Handle,
    stream: Handle,
) -> c_int {
    let operation = Operation { kind: Kind::AllReduce, dtype, count, by, root: 0 };
    operate("ncclAllReduce", operation, (from, to), (handle, stream))
}

/// `ncclReduceScatter`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclReduceScatter(
    from: *const c_void,
    to: *mut c_void,
    count: usize,
    dtype: c_int,
    by: c_int,
    handle: Handle,
    stream: Handle,
) -> c_int {
    let operation = Operation { kind: Kind::ReduceScatter, dtype, count, by, root: 0 };
    operate("ncclReduceScatter", operation, (from, to), (handle, stream))
}

/// `ncclAllGather`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclAllGather(
    from: *const c_void,
    to: *mut c_void,
    count: usize,
    dtype: c_int,
    handle: Handle,
    stream: Handle,
) -> c_int {
    let operation = Operation { kind: Kind::AllGather, dtype, count, by: 0, root: 0 };
    operate("ncclAllGather", operation, (from, to), (handle, stream))
}

/// `ncclBroadcast`.
#[unsafe(no_mangle)]
pub extern "C" fn ncclBroadcast(
    from: *const c_void,
    to: *mut c_void,
    count: usize,
    dtype: c_int,
    root: c_int,
    handle: Handle,
    stream: Handle,
) -> c_int {
    let operation = Operation { kind: Kind::Broadcast, dtype, count, by: 0, root };
    operate("ncclBroadcast", operation, (from, to), (handle, stream))
}
