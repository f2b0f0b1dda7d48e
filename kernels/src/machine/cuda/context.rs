//! One device of the process: its driver, its compiler, the kernels it has, and what went wrong on it.
//!
//! Kernels are compiled and loaded on the thread that first asks for them, so that what is wrong with one is
//! said where it is asked for. Not here: giving work to the device.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn_cuda::CudaDevice;
use cubecl::Runtime;
use cubecl::cuda::CudaRuntime;
use cubecl::device::Device;
use cubecl::device_handle::DeviceHandle;

use super::compile::nvrtc::Nvrtc;
use super::compile::{CompileCounts, Compiler, Engine, Target};
use super::cublaslt::Blas;
use super::driver::{self, ContextEvents, Driver, Function};
use super::error::CudaError;
use super::libraries;
use super::settings::{self, Ordering};
use super::signature::{Defines, Signature};
use crate::machine::Array;
use crate::machine::launch::Launch;

/// The server of cubecl that holds Burn's tensors.
pub(crate) type Server = <CudaRuntime as Runtime>::Server;

/// A kernel ready to be launched.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// On the device.
    pub(crate) function: Function,
    /// What it takes.
    pub(crate) signature: Arc<Signature>,
}

type KernelKey = (String, u64, &'static str, Defines);

/// A device.
pub(crate) struct Context {
    pub(crate) driver: Driver,
    /// Runs closures on the thread that gives Burn's work to the device.
    pub(crate) server: DeviceHandle<Server>,
    pub(crate) ordering: Ordering,
    /// Present where the ordering needs them.
    pub(crate) events: Option<ContextEvents>,
    compiler: Compiler,
    kernels: Mutex<BTreeMap<KernelKey, Kernel>>,
    blas: Mutex<Option<Arc<Blas>>>,
    failure: Mutex<Option<CudaError>>,
}

/// What a device and the libraries for it are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceFacts {
    /// Such as "NVIDIA H100 80GB HBM3".
    pub name: String,
    /// Compute capability, such as 90.
    pub architecture: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// What the driver supports, such as 12080.
    pub driver_version: i32,
    /// Such as "nvrtc-13.2".
    pub compiler: String,
    /// What kernels are compiled for, such as "`sm_90a`".
    pub target: String,
    /// How our work is ordered with Burn's.
    pub ordering: Ordering,
}

/// What the device of this number is, and whether our kernels can run on it.
///
/// # Errors
/// The first thing that is missing.
pub fn device_facts(ordinal: usize) -> Result<DeviceFacts, CudaError> {
    let context = Context::of(&CudaDevice::new(ordinal))?;
    Ok(DeviceFacts {
        name: context.driver.name()?,
        architecture: context.driver.architecture,
        memory_bytes: context.driver.memory_bytes()?,
        driver_version: driver::version(),
        compiler: context.compiler.version(),
        target: context.compiler.target().to_string(),
        ordering: context.ordering,
    })
}

/// How many kernels of this device were compiled, loaded and found damaged so far.
///
/// # Errors
/// When the device cannot be used.
pub fn compile_counts(ordinal: usize) -> Result<CompileCounts, CudaError> {
    Ok(Context::of(&CudaDevice::new(ordinal))?.compiler.counts())
}

/// Waits for everything given to the device and says what failed since the program began.
///
/// # Errors
/// The first failure; the results since then mean nothing.
pub fn check_device(ordinal: usize) -> Result<(), CudaError> {
    let context = Context::of(&CudaDevice::new(ordinal))?;
    // Behind everything that was given to the server so far.
    let waited = context.server.submit_blocking(|_| ());
    let on_device = context.driver.synchronise();
    match (context.failure(), waited) {
        (Some(failure), _) => Err(failure),
        (None, Err(_)) => Err(CudaError::Launch("the thread of the device has ended".into())),
        (None, Ok(())) => on_device,
    }
}

impl Context {
    /// The context of a device, made when it is first asked for.
    pub(crate) fn of(device: &CudaDevice) -> Result<Arc<Self>, CudaError> {
        static CONTEXTS: Mutex<BTreeMap<usize, Arc<Context>>> = Mutex::new(BTreeMap::new());
        let mut contexts = locked(&CONTEXTS);
        if let Some(context) = contexts.get(&device.index) {
            return Ok(context.clone());
        }
        let context = Arc::new(Self::open(device)?);
        contexts.insert(device.index, context.clone());
        Ok(context)
    }

    fn open(device: &CudaDevice) -> Result<Self, CudaError> {
        let settings = settings::settings();
        libraries::load(&settings.libraries)?;
        let driver = Driver::open(device.index)?;
        let engine = Nvrtc::find()?;
        let known = engine.architectures();
        let architecture = driver.architecture;
        let target = Target::of(architecture, &known);
        let target = target.ok_or(CudaError::Architecture { device: architecture, known })?;
        let events = match settings.ordering {
            Ordering::Events => Some(Driver::context_events()?),
            Ordering::Synchronised => None,
        };
        Ok(Self {
            driver,
            server: DeviceHandle::new(device.to_id()),
            ordering: settings.ordering,
            events,
            compiler: Compiler::new(Box::new(engine), settings.store.clone(), target),
            kernels: Mutex::default(),
            blas: Mutex::default(),
            failure: Mutex::default(),
        })
    }

    /// The kernel of a launch: found, or compiled and loaded.
    pub(crate) fn kernel<A: Array>(&self, launch: &Launch<'_, A>) -> Result<Kernel, CudaError> {
        let source = launch.source;
        let key = (source.name.to_string(), source.digest(), launch.entry, launch.defines.clone());
        if let Some(kernel) = locked(&self.kernels).get(&key) {
            return Ok(kernel.clone());
        }
        let signature = Arc::new(launch.signature()?);
        let binary = self.compiler.binary(source, &launch.defines)?;
        let function = self.driver.function(&binary, launch.entry)?;
        let kernel = Kernel { function, signature };
        locked(&self.kernels).insert(key, kernel.clone());
        Ok(kernel)
    }

    /// Matrix products on this device.
    pub(crate) fn blas(&self) -> Result<Arc<Blas>, CudaError> {
        let mut blas = locked(&self.blas);
        if let Some(blas) = blas.as_ref() {
            return Ok(blas.clone());
        }
        let made = Arc::new(Blas::new(&self.driver)?);
        *blas = Some(made.clone());
        Ok(made)
    }

    /// Remembers what failed on the thread of the device; the first failure counts.
    pub(crate) fn fail(&self, error: CudaError) {
        locked(&self.failure).get_or_insert(error);
    }

    /// What failed, if anything did.
    pub(crate) fn failure(&self) -> Option<CudaError> {
        locked(&self.failure).clone()
    }
}

/// What a panicking thread left behind is whole: every change under these locks is one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
