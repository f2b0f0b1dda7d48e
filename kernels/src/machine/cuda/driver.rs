//! The parts of the driver that we need: a device's primary context, a stream, two events, kernels.
//!
//! The context is the one Burn uses, since it is the device's primary one. Handles of the driver are plain
//! addresses that any thread may pass to it, which is what `Send` and `Sync` below say. Source: CUDA Driver
//! API, "Context Management", "Event Management".

use std::ffi::{CString, c_int, c_void};

use cudarc::driver::result;
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute};

use super::Limits;
use super::check::LaunchError;
use super::error::CudaError;

type OfContext = unsafe extern "C" fn(sys::CUcontext, sys::CUevent) -> sys::CUresult;

/// Both functions that order a whole context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextEvents {
    record: OfContext,
    wait: OfContext,
}

impl ContextEvents {
    /// Looked up by name: a driver older than CUDA 12.5 lacks them, whatever we were built with.
    fn find() -> Result<Self, CudaError> {
        // SAFETY: these are the types of the driver's functions of these names; the library stays loaded.
        unsafe {
            let library = sys::culib();
            let record = library.get::<OfContext>(b"cuCtxRecordEvent").map(|found| *found);
            let wait = library.get::<OfContext>(b"cuCtxWaitEvent").map(|found| *found);
            match (record, wait) {
                (Ok(record), Ok(wait)) => Ok(Self { record, wait }),
                (found, _) => {
                    let missing = if found.is_ok() { "cuCtxWaitEvent" } else { "cuCtxRecordEvent" };
                    Err(CudaError::NoContextEvents { version: version(), missing })
                }
            }
        }
    }
}

/// What the driver says it is, such as 12080; 0 when it does not say.
pub(crate) fn version() -> i32 {
    let mut version: c_int = 0;
    // SAFETY: the place is written to.
    match unsafe { sys::cuDriverGetVersion(&raw mut version) }.result() {
        Ok(()) => version,
        Err(_) => 0,
    }
}

/// Is there a driver to load?
pub(crate) fn is_present() -> bool {
    // SAFETY: loads a library by name, which runs its initialisation alone.
    unsafe { sys::is_culib_present() }
}

/// A kernel on the device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function(sys::CUfunction);

// SAFETY: an address that the driver gave, for use from any thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// Grid, block and dynamic shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Blocks.
    pub(crate) grid: [u32; 3],
    /// Threads of a block.
    pub(crate) block: [u32; 3],
    /// Bytes.
    pub(crate) shared_bytes: u32,
}

/// A device, its primary context and our stream on it.
#[derive(Debug)]
pub(crate) struct Driver {
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    /// Everything given to the context before our work.
    before: sys::CUevent,
    /// Our work.
    after: sys::CUevent,
    /// Compute capability, such as 90.
    pub(crate) architecture: u32,
    pub(crate) limits: Limits,
}

// SAFETY: addresses that the driver gave; it locks what it must, and the order of our calls is kept by the one
// thread that makes them (`bridge.rs`).
unsafe impl Send for Driver {}
// SAFETY: as above.
unsafe impl Sync for Driver {}

impl Driver {
    /// Opens a device.
    pub(crate) fn open(ordinal: usize) -> Result<Self, CudaError> {
        if !is_present() {
            return Err(CudaError::NoDriver);
        }
        result::init().map_err(CudaError::driver("the driver does not start"))?;
        let count = result::device::get_count().map_err(CudaError::driver("counting devices"))?;
        let count = usize::try_from(count).unwrap_or(0);
        let index = c_int::try_from(ordinal).ok().filter(|_| ordinal < count);
        let index = index.ok_or(CudaError::NoDevice { ordinal, count })?;
        let device = result::device::get(index).map_err(CudaError::driver("finding the device"))?;
        // SAFETY: `device` exists; the context is kept until the process ends.
        let context = unsafe { result::primary_ctx::retain(device) };
        let context = context.map_err(CudaError::driver("opening the context"))?;
        Self::with(device, context)
    }

    fn with(device: sys::CUdevice, context: sys::CUcontext) -> Result<Self, CudaError> {
        make_current(context)?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking);
        let stream = stream.map_err(CudaError::driver("making a stream"))?;
        let event = || {
            result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)
                .map_err(CudaError::driver("making an event"))
        };
        let (before, after) = (event()?, event()?);
        let capability = [
            attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ];
        let architecture = 10 * capability[0] + capability[1];
        let limits = limits(device)?;
        Ok(Self { device, context, stream, before, after, architecture, limits })
    }

    /// Makes the context that of this thread.
    pub(crate) fn make_current(&self) -> Result<(), CudaError> {
        make_current(self.context)
    }

    /// Our stream, as other libraries want it.
    pub(crate) fn stream(&self) -> sys::CUstream {
        self.stream
    }

    /// Name of the device.
    pub(crate) fn name(&self) -> Result<String, CudaError> {
        result::device::get_name(self.device).map_err(CudaError::driver("asking for a name"))
    }

    /// Memory of the device.
    pub(crate) fn memory_bytes(&self) -> Result<u64, CudaError> {
        // SAFETY: the device exists.
        let bytes = unsafe { result::device::total_mem(self.device) };
        Ok(bytes.map_err(CudaError::driver("asking for memory"))? as u64)
    }

    /// The functions that order the context.
    pub(crate) fn context_events() -> Result<ContextEvents, CudaError> {
        ContextEvents::find()
    }

    /// Our stream waits for everything that was given to the context so far.
    pub(crate) fn wait_for_context(&self, events: ContextEvents) -> Result<(), CudaError> {
        // SAFETY: context, event and stream live as long as the process.
        unsafe {
            let record = (events.record)(self.context, self.before).result();
            record.map_err(CudaError::driver("recording the work of the context"))?;
            let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
            result::stream::wait_event(self.stream, self.before, flags)
                .map_err(CudaError::driver("waiting for the work of the context"))
        }
    }

    /// Everything given to the context from now on waits for what our stream was given so far.
    pub(crate) fn context_waits(&self, events: ContextEvents) -> Result<(), CudaError> {
        // SAFETY: as in `wait_for_context`.
        unsafe {
            result::event::record(self.after, self.stream)
                .map_err(CudaError::driver("recording our work"))?;
            let wait = (events.wait)(self.context, self.after).result();
            wait.map_err(CudaError::driver("letting the context wait for our work"))
        }
    }

    /// The host waits for the whole context.
    pub(crate) fn synchronise(&self) -> Result<(), CudaError> {
        self.make_current()?;
        result::ctx::synchronize().map_err(CudaError::driver("waiting for the device"))
    }

    /// Loads a binary and finds a kernel in it. The module stays until the process ends.
    pub(crate) fn function(&self, binary: &[u8], entry: &str) -> Result<Function, CudaError> {
        self.make_current()?;
        // PTX is text that ends in a zero; machine code does not mind one behind it.
        let image = [binary, &[0]].concat();
        let name = CString::new(entry).unwrap_or_default();
        // SAFETY: the image is whole, as the compiler made it; the module is never unloaded.
        unsafe {
            let module = result::module::load_data(image.as_ptr().cast());
            let module = module.map_err(CudaError::driver("loading a kernel"))?;
            let function = result::module::get_function(module, name);
            Ok(Function(function.map_err(CudaError::driver("finding a kernel in its binary"))?))
        }
    }

    /// Lets a kernel have this much dynamic shared memory beside its own static part.
    pub(crate) fn allow_shared(
        &self,
        function: Function,
        entry: &str,
        bytes: u32,
    ) -> Result<(), CudaError> {
        use sys::CUfunction_attribute as Of;
        self.make_current()?;
        // SAFETY: the function is of a module that stays loaded.
        unsafe {
            let of = Of::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES;
            let own = result::function::get_function_attribute(function.0, of);
            let own = own.map_err(CudaError::driver("asking for shared memory"))?;
            let all = usize::try_from(own).unwrap_or(0) + bytes as usize;
            let limit = self.limits.shared_bytes as usize;
            if all > limit {
                let what = "shared memory, static and dynamic,";
                return Err(
                    LaunchError::Limit { entry: entry.into(), what, got: all, limit }.into()
                );
            }
            let of = Of::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
            result::function::set_function_attribute(function.0, of, bytes)
                .map_err(CudaError::driver("allowing shared memory"))
        }
    }

    /// Gives a kernel to our stream. Each value is one parameter, at most eight bytes of it read.
    ///
    /// # Safety
    /// The values are what the kernel's parameters are, and pointers among them point to enough memory until
    /// the stream is done with it.
    pub(crate) unsafe fn launch(
        &self,
        function: Function,
        shape: Shape,
        values: &mut [[u8; 8]],
    ) -> Result<(), CudaError> {
        let mut pointers: Vec<*mut c_void> =
            values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
        let triple = |[x, y, z]: [u32; 3]| (x, y, z);
        // SAFETY: promised by the caller; the function is of a module that stays loaded.
        unsafe {
            result::launch_kernel(
                function.0,
                triple(shape.grid),
                triple(shape.block),
                shape.shared_bytes,
                self.stream,
                &mut pointers,
            )
        }
        .map_err(CudaError::driver("launching a kernel"))
    }

    /// Zeros, on our stream.
    ///
    /// # Safety
    /// This many bytes belong to the array at `pointer` until the stream is done with it.
    pub(crate) unsafe fn clear(&self, pointer: u64, bytes: usize) -> Result<(), CudaError> {
        // SAFETY: promised by the caller.
        unsafe { result::memset_d8_async(pointer, 0, bytes, self.stream) }
            .map_err(CudaError::driver("clearing memory"))
    }

    /// Memory that stays until the process ends.
    pub(crate) fn keep_memory(&self, bytes: usize) -> Result<u64, CudaError> {
        self.make_current()?;
        // SAFETY: memory of our own, never freed.
        unsafe { result::malloc_sync(bytes) }.map_err(CudaError::driver("taking memory"))
    }
}

fn make_current(context: sys::CUcontext) -> Result<(), CudaError> {
    // SAFETY: the context is kept until the process ends.
    unsafe { result::ctx::set_current(context) }
        .map_err(CudaError::driver("making the context current"))
}

fn attribute(device: sys::CUdevice, of: Attribute) -> Result<u32, CudaError> {
    // SAFETY: the device exists.
    let value = unsafe { result::device::get_attribute(device, of) };
    let value = value.map_err(CudaError::driver("asking for a limit of the device"))?;
    Ok(u32::try_from(value).unwrap_or(0))
}

fn limits(device: sys::CUdevice) -> Result<Limits, CudaError> {
    Ok(Limits {
        block_threads: attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
        shared_bytes: attribute(
            device,
            Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
        )?,
        grid_x: attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X)?,
        multiprocessors: attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
    })
}
