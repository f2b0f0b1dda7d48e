//! The GPU of a rank: a stream of its own, and two buffers that numbers of the host go through.
//!
//! Functions of the driver are looked up by name. The context is the primary one
//! of the device, which the run computes in too. Source: CUDA Driver API.

use std::ffi::{c_int, c_uint, c_void};

use super::super::error::ClusterError;
use super::super::launch::gpu_of_rank;
use super::{Found, Machine};

/// Bytes of either buffer: enough that a pass through it costs little beside its bytes.
pub(super) const BUFFER_BYTES: usize = 32 << 20;

type Status = c_int;
const SUCCESS: Status = 0;
const NOT_READY: Status = 600;
/// `CU_STREAM_NON_BLOCKING`: the default stream is none of its business.
const NON_BLOCKING: c_uint = 1;

/// The functions that are used.
#[derive(Debug)]
struct Calls {
    retain: unsafe extern "C" fn(*mut *mut c_void, c_int) -> Status,
    set_current: unsafe extern "C" fn(*mut c_void) -> Status,
    uuid: unsafe extern "C" fn(*mut [u8; 16], c_int) -> Status,
    new_stream: unsafe extern "C" fn(*mut *mut c_void, c_uint) -> Status,
    query: unsafe extern "C" fn(*mut c_void) -> Status,
    allocate: unsafe extern "C" fn(*mut u64, usize) -> Status,
    allocate_host: unsafe extern "C" fn(*mut *mut c_void, usize) -> Status,
    upload: unsafe extern "C" fn(u64, *const c_void, usize, *mut c_void) -> Status,
    download: unsafe extern "C" fn(*mut c_void, u64, usize, *mut c_void) -> Status,
}

/// A GPU, and what of it a rank holds until its process ends.
#[derive(Debug)]
pub(super) struct Gpu {
    calls: Calls,
    /// Its number, as the driver counts in this process.
    pub(super) ordinal: usize,
    /// Its name.
    pub(super) name: String,
    /// Tells it from every other, in every process.
    pub(super) uuid: String,
    context: *mut c_void,
    pub(super) stream: *mut c_void,
    /// Memory of the device, and page-locked memory of the host: [`BUFFER_BYTES`] each.
    pub(super) on_device: u64,
    on_host: *mut u8,
}

// SAFETY: handles of the driver, which any thread may use that makes the context current; the buffer of the host is
// reached through `&mut self` alone.
unsafe impl Send for Gpu {}

fn refused(reason: String) -> ClusterError {
    ClusterError::Engine { engine: "NCCL".to_owned(), reason }
}

/// # Safety
/// `F` must be the type of the function.
unsafe fn look_up<F: Copy>(driver: &Found, name: &str) -> Result<F, ClusterError> {
    // SAFETY: the caller says that `F` is the type of the symbol, and the library stays open.
    let found = unsafe { driver.library.get::<F>(name.as_bytes()) };
    found
        .map(|symbol| *symbol)
        .map_err(|_| refused(format!("the NVIDIA driver has no {name}; update it")))
}

impl Gpu {
    /// The GPU of this process, with its stream and buffers.
    pub(super) fn take(machine: &Machine, local_rank: Option<usize>) -> Result<Self, ClusterError> {
        let gpus = machine.gpus.as_ref().map_err(|why| refused(why.clone()))?;
        let ordinal = gpu_of_rank(gpus.len(), local_rank).map_err(refused)?;
        let name = gpus[ordinal].clone();
        let driver = machine.driver.as_ref();
        let driver = driver.ok_or_else(|| refused("the NVIDIA driver is not found".to_owned()))?;
        let mut gpu = Self {
            calls: Calls::of(driver)?,
            ordinal,
            name,
            uuid: String::new(),
            context: std::ptr::null_mut(),
            stream: std::ptr::null_mut(),
            on_device: 0,
            on_host: std::ptr::null_mut(),
        };
        gpu.open()?;
        Ok(gpu)
    }

    fn open(&mut self) -> Result<(), ClusterError> {
        let ordinal = c_int::try_from(self.ordinal).unwrap_or(c_int::MAX);
        let (mut uuid, mut host) = ([0_u8; 16], std::ptr::null_mut());
        let mut context = std::ptr::null_mut();
        // SAFETY: a place of ours; a `CUdevice` is its ordinal, which the driver just listed.
        let retained = unsafe { (self.calls.retain)(&raw mut context, ordinal) };
        self.done("cuDevicePrimaryCtxRetain", retained)?;
        self.context = context;
        self.enter()?;
        let mut stream = std::ptr::null_mut();
        let mut on_device = 0;
        // SAFETY: places of ours, with the context of this device current.
        unsafe {
            self.done("cuDeviceGetUuid_v2", (self.calls.uuid)(&raw mut uuid, ordinal))?;
            self.done("cuStreamCreate", (self.calls.new_stream)(&raw mut stream, NON_BLOCKING))?;
            self.done("cuMemAlloc_v2", (self.calls.allocate)(&raw mut on_device, BUFFER_BYTES))?;
            let taken = (self.calls.allocate_host)(&raw mut host, BUFFER_BYTES);
            self.done("cuMemAllocHost_v2", taken)?;
        }
        (self.stream, self.on_device) = (stream, on_device);
        self.on_host = host.cast();
        let digits: Vec<String> = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        self.uuid = digits.concat();
        Ok(())
    }

    /// Makes its context that of this thread.
    pub(super) fn enter(&self) -> Result<(), ClusterError> {
        // SAFETY: the context that was retained, which is never released.
        self.done("cuCtxSetCurrent", unsafe { (self.calls.set_current)(self.context) })
    }

    /// The buffer of the host. Nothing may be copying from or to it: whoever gave a copy has waited for it.
    pub(super) fn host(&mut self) -> &mut [u8] {
        // SAFETY: so many bytes were allocated, zero or written since, and are freed with the process.
        unsafe { std::slice::from_raw_parts_mut(self.on_host, BUFFER_BYTES) }
    }

    /// Copies `bytes` of the buffer of the host, from byte `at` on, to the device.
    pub(super) fn upload(&self, at: usize, bytes: usize) -> Result<(), ClusterError> {
        assert!(at + bytes <= BUFFER_BYTES, "within the buffer");
        // SAFETY: within both buffers by the line above; nobody writes them before the stream was waited for.
        let status = unsafe {
            let from = self.on_host.add(at).cast();
            (self.calls.upload)(self.on_device + at as u64, from, bytes, self.stream)
        };
        self.done("cuMemcpyHtoDAsync_v2", status)
    }

    /// The other way.
    pub(super) fn download(&self, at: usize, bytes: usize) -> Result<(), ClusterError> {
        assert!(at + bytes <= BUFFER_BYTES, "within the buffer");
        // SAFETY: as in `upload`.
        let status = unsafe {
            let to = self.on_host.add(at).cast();
            (self.calls.download)(to, self.on_device + at as u64, bytes, self.stream)
        };
        self.done("cuMemcpyDtoHAsync_v2", status)
    }

    /// Whether the stream has done all that it was given.
    pub(super) fn is_done(&self) -> Result<bool, ClusterError> {
        // SAFETY: the stream of this rank.
        match unsafe { (self.calls.query)(self.stream) } {
            NOT_READY => Ok(false),
            status => self.done("cuStreamQuery", status).map(|()| true),
        }
    }

    fn done(&self, call: &str, status: Status) -> Result<(), ClusterError> {
        if status == SUCCESS {
            return Ok(());
        }
        let Self { ordinal, name, .. } = self;
        Err(refused(format!("GPU {ordinal} ({name}) answers {call} with error {status} of CUDA")))
    }
}

impl Calls {
    fn of(library: &Found) -> Result<Self, ClusterError> {
        // SAFETY: the types are those of `cuda.h`.
        unsafe {
            Ok(Self {
                retain: look_up(library, "cuDevicePrimaryCtxRetain")?,
                set_current: look_up(library, "cuCtxSetCurrent")?,
                uuid: look_up(library, "cuDeviceGetUuid_v2")?,
                new_stream: look_up(library, "cuStreamCreate")?,
                query: look_up(library, "cuStreamQuery")?,
                allocate: look_up(library, "cuMemAlloc_v2")?,
                allocate_host: look_up(library, "cuMemAllocHost_v2")?,
                upload: look_up(library, "cuMemcpyHtoDAsync_v2")?,
                download: look_up(library, "cuMemcpyDtoHAsync_v2")?,
            })
        }
    }
}
