//! What the NVIDIA driver says about this machine, asked without CUDA being part of this build.
//!
//! Five entry points of the driver, <https://docs.nvidia.com/cuda/cuda-driver-api/>, are looked up
//! by name; where the library or one of them is missing, that is the answer. No context is made.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::fmt;

use super::library::{Library, find_library};

/// File names of the driver.
#[cfg(not(windows))]
pub const DRIVER: [&str; 2] = ["libcuda.so.1", "libcuda.so"];
/// File names of the driver.
#[cfg(windows)]
pub const DRIVER: [&str; 1] = ["nvcuda.dll"];

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR` of `CUdevice_attribute`.
const COMPUTE_CAPABILITY: [c_int; 2] = [75, 76];
/// Bytes that a name may take; the driver cuts longer ones.
const NAME_BYTES: c_int = 256;

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Gpu {
    /// Its name, such as `NVIDIA H100`.
    pub name: String,
    /// All of its memory.
    pub memory_bytes: u64,
    /// Major and minor number of its compute capability.
    pub compute_capability: (i32, i32),
}

/// A driver that answers.
#[derive(Debug)]
pub struct Driver {
    /// Where it is.
    pub library: Library,
    /// The newest version of CUDA that it runs, 13000 for 13.0.
    pub cuda_version: i32,
    /// Its GPUs, in its order.
    pub gpus: Vec<Gpu>,
}

/// Why there is no GPU to speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoDriver {
    /// No library of this name.
    NotFound,
    /// A function is missing in it, so it is older than ten years.
    TooOld(&'static str),
    /// It answered with an error, a `CUresult`.
    Refused {
        /// The function.
        call: &'static str,
        /// Its answer; 100 is "no device".
        result: i32,
    },
}

impl fmt::Display for NoDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => write!(f, "no NVIDIA driver ({} is not found)", DRIVER[0]),
            Self::TooOld(call) => write!(f, "the NVIDIA driver has no {call}"),
            Self::Refused { call: "cuInit", result: 100 } => f.write_str("no NVIDIA GPU"),
            Self::Refused { call, result } => {
                write!(f, "the NVIDIA driver answers {call} with error {result}")
            }
        }
    }
}

/// Asks the driver of this machine.
///
/// # Errors
/// [`NoDriver`] saying what is missing.
pub fn driver() -> Result<Driver, NoDriver> {
    let library = find_library(&DRIVER).ok_or(NoDriver::NotFound)?;
    let calls = Calls { library: library.handle() };
    let mut cuda_version = 0;
    calls.version(&mut cuda_version)?;
    calls.init()?;
    let gpus = (0..calls.count()?).map(|ordinal| calls.gpu(ordinal)).collect::<Result<_, _>>()?;
    Ok(Driver { library, cuda_version, gpus })
}

struct Calls {
    library: &'static libloading::Library,
}

type OneInt = unsafe extern "C" fn(*mut c_int) -> c_int;

impl Calls {
    /// The function called `name`.
    ///
    /// # Safety
    /// `F` must be its type.
    unsafe fn look_up<F: Copy>(&self, name: &'static str) -> Result<F, NoDriver> {
        // SAFETY: the caller says that `F` is the type of the symbol, and the library stays open.
        let found = unsafe { self.library.get::<F>(name.as_bytes()) };
        found.map(|symbol| *symbol).map_err(|_| NoDriver::TooOld(name))
    }

    fn version(&self, version: &mut c_int) -> Result<(), NoDriver> {
        // SAFETY: `CUresult cuDriverGetVersion(int*)`; the pointer is to an integer of ours.
        let result = unsafe { self.look_up::<OneInt>("cuDriverGetVersion")?(version) };
        answer("cuDriverGetVersion", result)
    }

    fn init(&self) -> Result<(), NoDriver> {
        type Init = unsafe extern "C" fn(c_uint) -> c_int;
        // SAFETY: `CUresult cuInit(unsigned int)`; the flags must be 0 and are.
        answer("cuInit", unsafe { self.look_up::<Init>("cuInit")?(0) })
    }

    fn count(&self) -> Result<c_int, NoDriver> {
        let mut count = 0;
        // SAFETY: `CUresult cuDeviceGetCount(int*)`; the pointer is to an integer of ours.
        let result = unsafe { self.look_up::<OneInt>("cuDeviceGetCount")?(&raw mut count) };
        answer("cuDeviceGetCount", result).map(|()| count)
    }

    fn gpu(&self, ordinal: c_int) -> Result<Gpu, NoDriver> {
        type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
        type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
        type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
        let (mut name, mut memory) = ([0; NAME_BYTES as usize], 0);
        // A CUdevice is its ordinal: the driver's own header defines it as that integer.
        // SAFETY: `CUresult cuDeviceGetName(char*, int, CUdevice)`; the array holds `NAME_BYTES`.
        let result = unsafe {
            self.look_up::<Name>("cuDeviceGetName")?(name.as_mut_ptr(), NAME_BYTES, ordinal)
        };
        answer("cuDeviceGetName", result)?;
        // SAFETY: `CUresult cuDeviceTotalMem_v2(size_t*, CUdevice)`; the pointer is to ours.
        let result =
            unsafe { self.look_up::<Memory>("cuDeviceTotalMem_v2")?(&raw mut memory, ordinal) };
        answer("cuDeviceTotalMem_v2", result)?;
        let mut capability = [0; 2];
        for (value, attribute) in capability.iter_mut().zip(COMPUTE_CAPABILITY) {
            // SAFETY: `CUresult cuDeviceGetAttribute(int*, CUdevice_attribute, CUdevice)`.
            let result = unsafe {
                self.look_up::<Attribute>("cuDeviceGetAttribute")?(value, attribute, ordinal)
            };
            answer("cuDeviceGetAttribute", result)?;
        }
        // SAFETY: the driver ends the name with a zero within the array, also when it cuts it.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) };
        Ok(Gpu {
            name: name.to_string_lossy().into_owned(),
            memory_bytes: memory as u64,
            compute_capability: (capability[0], capability[1]),
        })
    }
}

fn answer(call: &'static str, result: c_int) -> Result<(), NoDriver> {
    if result == 0 { Ok(()) } else { Err(NoDriver::Refused { call, result }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_asked_without_failing_on_any_machine() {
        match driver() {
            Ok(driver) => assert!(driver.cuda_version >= 1000, "{driver:?}"),
            Err(missing) => assert!(missing.to_string().contains("NVIDIA"), "{missing}"),
        }
    }

    #[test]
    fn a_machine_without_a_gpu_is_told_apart_from_a_broken_driver() {
        let of = |call, result| NoDriver::Refused { call, result }.to_string();
        assert_eq!(of("cuInit", 100), "no NVIDIA GPU");
        assert!(of("cuInit", 999).contains("cuInit with error 999"));
    }
}
