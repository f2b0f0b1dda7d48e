//! Everything that can be wrong with a GPU, its driver or its libraries, in sentences with a way out.

use std::path::PathBuf;

use cudarc::driver::DriverError;

use super::check::LaunchError;
use super::compile::CompileError;
use super::compile::nvrtc::NvrtcMissing;

/// Why a kernel of ours cannot run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CudaError {
    /// No driver.
    #[error("no CUDA driver: libcuda is not found; install the NVIDIA driver")]
    NoDriver,
    /// No such device.
    #[error("there is no CUDA device {ordinal}: the driver knows {count}")]
    NoDevice {
        /// The device asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// The driver refused something.
    #[error("{what}: {error}")]
    Driver {
        /// What was being done.
        what: &'static str,
        /// What the driver said.
        error: DriverError,
    },
    /// The driver cannot order whole contexts.
    #[error(
        "the driver (CUDA {}.{}) lacks {missing}, with which our work is ordered with Burn's; update \
         it to one for CUDA 12.5 (version 555), or set GENESIS_CUDA_ORDERING=synchronised", 
        version / 1000, version % 1000 / 10
    )]
    NoContextEvents {
        /// What the driver says it is, such as 12040.
        version: i32,
        /// The functions it lacks.
        missing: &'static str,
    },
    /// A library that was named but cannot be loaded.
    #[error("cannot load {}: {reason}", path.display())]
    Library {
        /// Where it should be.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// No compiler.
    #[error("{0}")]
    Compiler(String),
    /// A device older than what the compiler knows.
    #[error("NVRTC knows architectures {known:?}, and none of them runs on one of {device}")]
    Architecture {
        /// Of the device, such as 61.
        device: u32,
        /// Those of the compiler.
        known: Vec<u32>,
    },
    /// A kernel that does not compile.
    #[error("{0}")]
    Kernel(String),
    /// A launch that does not fit its kernel or the device.
    #[error("{0}")]
    Launch(String),
    /// cuBLASLt is missing.
    #[error(
        "cuBLASLt is not found: install a CUDA toolkit, or the Python package nvidia-cublas and say \
         where its library is"
    )]
    NoBlas,
    /// cuBLASLt refused something.
    #[error("{what}: cuBLASLt says {status}")]
    Blas {
        /// What was being done.
        what: String,
        /// What it said.
        status: String,
    },
}

impl CudaError {
    /// Names what was being done when the driver refused.
    pub(crate) fn driver(what: &'static str) -> impl Fn(DriverError) -> Self {
        move |error| Self::Driver { what, error }
    }
}

impl From<CompileError> for CudaError {
    fn from(error: CompileError) -> Self {
        Self::Kernel(error.to_string())
    }
}

impl From<LaunchError> for CudaError {
    fn from(error: LaunchError) -> Self {
        Self::Launch(error.to_string())
    }
}

impl From<NvrtcMissing> for CudaError {
    fn from(error: NvrtcMissing) -> Self {
        Self::Compiler(error.to_string())
    }
}
