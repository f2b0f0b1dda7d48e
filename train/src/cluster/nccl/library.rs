//! `libnccl` as it is on this machine: opened by its name, asked for its version, its functions looked up.
//!
//! It is looked for as the driver is: where it is missing or too old, that is an error
//! with a way out and no panic. The configuration is that of version 2.14, the oldest that joins without
//! blocking; later versions take it for what it is, since it says its size. Source: NCCL user guide; `nccl.h`.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use super::super::error::ClusterError;

/// File names of the library.
pub const NAMES: [&str; 2] = ["libnccl.so.2", "libnccl.so"];
/// The oldest version that joins without blocking, as `ncclGetVersion` writes it.
const LEAST: c_int = 21_400;
const WAY_OUT: &str = "install NCCL of your CUDA version (the package libnccl2 or nccl, or the wheel \
                       nvidia-nccl-cu13) and put the folder of libnccl.so.2 into LD_LIBRARY_PATH, or set \
                       parallel.engine = \"mpi\"";

/// A library that is open, and its name for people.
#[derive(Debug)]
pub struct Found {
    /// The name it was found by, and its file.
    pub shown: String,
    /// The library.
    pub library: &'static libloading::Library,
}

/// `ncclUniqueId`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct UniqueId(pub(super) [u8; 128]);

/// `ncclConfig_t` of version 2.14.
#[repr(C)]
struct Config {
    size: usize,
    magic: c_uint,
    version: c_uint,
    blocking: c_int,
}

/// `ncclComm_t`.
pub(super) type Comm = *mut c_void;
type Stream = *mut c_void;

/// `ncclResult_t`.
pub(super) const SUCCESS: c_int = 0;
pub(super) const IN_PROGRESS: c_int = 7;
/// `ncclDataType_t`.
pub(super) const BYTES: c_int = 1;
pub(super) const FLOATS: c_int = 7;
pub(super) const DOUBLES: c_int = 8;
/// `ncclRedOp_t`.
const SUM: c_int = 0;

type GetVersion = unsafe extern "C" fn(*mut c_int) -> c_int;
type GetUniqueId = unsafe extern "C" fn(*mut UniqueId) -> c_int;
type Join = unsafe extern "C" fn(*mut Comm, c_int, UniqueId, c_int, *mut Config) -> c_int;
type GetAsyncError = unsafe extern "C" fn(Comm, *mut c_int) -> c_int;
type OfComm = unsafe extern "C" fn(Comm) -> c_int;
type ErrorString = unsafe extern "C" fn(c_int) -> *const c_char;
type LastError = unsafe extern "C" fn(Comm) -> *const c_char;
type Reduce =
    unsafe extern "C" fn(*const c_void, *mut c_void, usize, c_int, c_int, Comm, Stream) -> c_int;
type Gather = unsafe extern "C" fn(*const c_void, *mut c_void, usize, c_int, Comm, Stream) -> c_int;

/// The functions that are used.
#[derive(Debug)]
pub(super) struct Nccl {
    version: c_int,
    get_unique_id: GetUniqueId,
    join: Join,
    get_async_error: GetAsyncError,
    abort: OfComm,
    finalize: OfComm,
    destroy: OfComm,
    error_string: ErrorString,
    last_error: LastError,
    all_reduce: Reduce,
    reduce_scatter: Reduce,
    all_gather: Gather,
    broadcast: Reduce,
}

/// A call of an operation on memory of the device.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    AllReduce,
    ReduceScatter,
    AllGather,
    Broadcast { root: c_int },
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AllReduce => "ncclAllReduce",
            Self::ReduceScatter => "ncclReduceScatter",
            Self::AllGather => "ncclAllGather",
            Self::Broadcast { .. } => "ncclBroadcast",
        }
    }
}

/// `2.27.3` of 22703; before 2.9 thousands were enough, `2.8.4` of 2804. Source: `NCCL_VERSION` in `nccl.h`.
pub(super) fn said(version: c_int) -> String {
    let major = if version >= 10_000 { 10_000 } else { 1000 };
    format!("{}.{}.{}", version / major, version % major / 100, version % 100)
}

fn refused(reason: String) -> ClusterError {
    ClusterError::Engine { engine: "NCCL".to_owned(), reason }
}

/// The function called `name`.
///
/// # Safety
/// `F` must be its type.
unsafe fn look_up<F: Copy>(found: &Found, name: &str) -> Result<F, ClusterError> {
    // SAFETY: the caller says that `F` is the type of the symbol, and the library stays open.
    let function = unsafe { found.library.get::<F>(name.as_bytes()) };
    function.map(|symbol| *symbol).map_err(|_| {
        refused(format!("{} has no {name}, so it is broken or no NCCL; {WAY_OUT}", found.shown))
    })
}

impl Nccl {
    /// Looks into the library of this machine.
    pub(super) fn of(found: Option<&Found>) -> Result<Self, ClusterError> {
        let library =
            found.ok_or_else(|| refused(format!("{} is not found; {WAY_OUT}", NAMES[0])))?;
        let mut version = 0;
        // SAFETY: `ncclResult_t ncclGetVersion(int*)`; the pointer is to an integer of ours.
        let status = unsafe { look_up::<GetVersion>(library, "ncclGetVersion")?(&raw mut version) };
        if status != SUCCESS || version < LEAST {
            return Err(refused(format!(
                "{} is version {}, but {} or later is needed; {WAY_OUT}",
                library.shown,
                said(version),
                said(LEAST)
            )));
        }
        // SAFETY: the types above are those of `nccl.h` since version 2.14.
        unsafe {
            Ok(Self {
                version,
                get_unique_id: look_up(library, "ncclGetUniqueId")?,
                join: look_up(library, "ncclCommInitRankConfig")?,
                get_async_error: look_up(library, "ncclCommGetAsyncError")?,
                abort: look_up(library, "ncclCommAbort")?,
                finalize: look_up(library, "ncclCommFinalize")?,
                destroy: look_up(library, "ncclCommDestroy")?,
                error_string: look_up(library, "ncclGetErrorString")?,
                last_error: look_up(library, "ncclGetLastError")?,
                all_reduce: look_up(library, "ncclAllReduce")?,
                reduce_scatter: look_up(library, "ncclReduceScatter")?,
                all_gather: look_up(library, "ncclAllGather")?,
                broadcast: look_up(library, "ncclBroadcast")?,
            })
        }
    }

    /// Its version, such as `2.27.3`.
    pub(super) fn version(&self) -> String {
        said(self.version)
    }

    /// An id for a new communicator.
    pub(super) fn new_id(&self) -> Result<UniqueId, ClusterError> {
        let mut id = UniqueId([0; 128]);
        // SAFETY: `ncclResult_t ncclGetUniqueId(ncclUniqueId*)`; the pointer is to an id of ours.
        let status = unsafe { (self.get_unique_id)(&raw mut id) };
        if status == SUCCESS {
            Ok(id)
        } else {
            Err(refused(self.words("ncclGetUniqueId", status, None)))
        }
    }

    /// Begins to join; the communicator is there when [`Nccl::state`] says so.
    pub(super) fn join(&self, world: c_int, id: UniqueId, rank: c_int) -> (c_int, Comm) {
        let mut comm = std::ptr::null_mut();
        let size = size_of::<Config>();
        let mut config = Config { size, magic: 0xcafe_beef, version: 21_400, blocking: 0 };
        // SAFETY: places of ours; the configuration says its size, and is copied before the call returns.
        let status = unsafe { (self.join)(&raw mut comm, world, id, rank, &raw mut config) };
        (status, comm)
    }

    /// How far the last call on a communicator got.
    pub(super) fn state(&self, comm: Comm) -> c_int {
        let mut state = SUCCESS;
        // SAFETY: `comm` is a communicator that was neither destroyed nor aborted; the integer is ours.
        let status = unsafe { (self.get_async_error)(comm, &raw mut state) };
        if status == SUCCESS { state } else { status }
    }

    /// Gives an operation to `stream`.
    ///
    /// # Safety
    /// `from` and `to` are memory of the communicator's device, as large as the operation says, until the stream
    /// has done it.
    pub(super) unsafe fn operate(
        &self,
        operation: Operation,
        (from, to): (u64, u64),
        (count, dtype): (usize, c_int),
        (comm, stream): (Comm, Stream),
    ) -> c_int {
        let (from, to) = (from as *const c_void, to as *mut c_void);
        // SAFETY: promised by the caller; types are those of `nccl.h`.
        unsafe {
            match operation {
                Operation::AllReduce => {
                    (self.all_reduce)(from, to, count, dtype, SUM, comm, stream)
                }
                Operation::ReduceScatter => {
                    (self.reduce_scatter)(from, to, count, dtype, SUM, comm, stream)
                }
                Operation::AllGather => (self.all_gather)(from, to, count, dtype, comm, stream),
                Operation::Broadcast { root } => {
                    (self.broadcast)(from, to, count, dtype, root, comm, stream)
                }
            }
        }
    }

    /// Ends a communicator at once, with all that waits for it.
    pub(super) fn abort(&self, comm: Comm) {
        // SAFETY: `comm` is a communicator that was neither destroyed nor aborted; it is not used again.
        unsafe { (self.abort)(comm) };
    }

    /// Begins to end a communicator whose work is done.
    pub(super) fn finalize(&self, comm: Comm) -> c_int {
        // SAFETY: as in `abort`, but for its state, which is asked for until it is finalized.
        unsafe { (self.finalize)(comm) }
    }

    /// Gives a finalized communicator back.
    pub(super) fn destroy(&self, comm: Comm) {
        // SAFETY: as in `abort`.
        unsafe { (self.destroy)(comm) };
    }

    /// What went wrong in `call`, with the last words of the library.
    pub(super) fn words(&self, call: &str, status: c_int, comm: Option<Comm>) -> String {
        // SAFETY: both functions give texts that end in a zero and stay; a null communicator is allowed.
        let (text, last) = unsafe {
            let last = (self.last_error)(comm.unwrap_or(std::ptr::null_mut()));
            (text_of((self.error_string)(status)), text_of(last))
        };
        let last = if last.is_empty() { String::new() } else { format!(": {}", last.trim()) };
        format!(
            "{call}: {text}{last}; NCCL_DEBUG=INFO says more, and where hosts have several networks, \
             NCCL_SOCKET_IFNAME names the one to use"
        )
    }
}

/// # Safety
/// Null, or a text that ends in a zero.
unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_header_writes_them() {
        assert_eq!([said(22_703), said(21_400), said(2804)], ["2.27.3", "2.14.0", "2.8.4"]);
    }

    #[test]
    fn the_configuration_has_the_bytes_of_version_2_14() {
        assert_eq!((size_of::<Config>(), std::mem::offset_of!(Config, blocking)), (24, 16));
    }
}
