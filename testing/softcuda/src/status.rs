//! The results of the driver that this one gives, with their numbers and names.
//!
//! Source: CUDA Driver API, "`CUresult`".

use std::ffi::{CStr, c_int};

/// `CUresult`: a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Status(pub c_int);

impl Status {
    /// `CUDA_SUCCESS`: no error.
    pub const SUCCESS: Self = Self(0);
    /// `CUDA_ERROR_INVALID_VALUE`: invalid argument.
    pub const INVALID_VALUE: Self = Self(1);
    /// `CUDA_ERROR_OUT_OF_MEMORY`: out of memory.
    pub const OUT_OF_MEMORY: Self = Self(2);
    /// `CUDA_ERROR_NOT_INITIALIZED`: initialization error.
    pub const NOT_INITIALIZED: Self = Self(3);
    /// `CUDA_ERROR_NO_DEVICE`: no CUDA-capable device is detected.
    pub const NO_DEVICE: Self = Self(100);
    /// `CUDA_ERROR_INVALID_DEVICE`: invalid device ordinal.
    pub const INVALID_DEVICE: Self = Self(101);
    /// `CUDA_ERROR_INVALID_IMAGE`: device kernel image is invalid.
    pub const INVALID_IMAGE: Self = Self(200);
    /// `CUDA_ERROR_INVALID_CONTEXT`: invalid device context.
    pub const INVALID_CONTEXT: Self = Self(201);
    /// `CUDA_ERROR_NO_BINARY_FOR_GPU`: no kernel image is available for execution on the device.
    pub const NO_BINARY_FOR_GPU: Self = Self(209);
    /// `CUDA_ERROR_INVALID_HANDLE`: invalid resource handle.
    pub const INVALID_HANDLE: Self = Self(400);
    /// `CUDA_ERROR_NOT_FOUND`: named symbol not found.
    pub const NOT_FOUND: Self = Self(500);
    /// `CUDA_ERROR_NOT_READY`: device not ready.
    pub const NOT_READY: Self = Self(600);
    /// `CUDA_ERROR_ILLEGAL_ADDRESS`: an illegal memory access was encountered.
    pub const ILLEGAL_ADDRESS: Self = Self(700);
    /// `CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES`: too many resources requested for launch.
    pub const LAUNCH_OUT_OF_RESOURCES: Self = Self(701);
    /// `CUDA_ERROR_LAUNCH_FAILED`: unspecified launch failure.
    pub const LAUNCH_FAILED: Self = Self(719);
    /// `CUDA_ERROR_NOT_SUPPORTED`: operation not supported.
    pub const NOT_SUPPORTED: Self = Self(801);

    /// Its name and what it says, when it is one of those given here.
    pub fn texts(self) -> Option<(&'static CStr, &'static CStr)> {
        let texts = match self {
            Self::SUCCESS => (c"CUDA_SUCCESS", c"no error"),
            Self::INVALID_VALUE => (c"CUDA_ERROR_INVALID_VALUE", c"invalid argument"),
            Self::OUT_OF_MEMORY => (c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
            Self::NOT_INITIALIZED => (c"CUDA_ERROR_NOT_INITIALIZED", c"initialization error"),
            Self::NO_DEVICE => (c"CUDA_ERROR_NO_DEVICE", c"no CUDA-capable device is detected"),
            Self::INVALID_DEVICE => (c"CUDA_ERROR_INVALID_DEVICE", c"invalid device ordinal"),
            Self::INVALID_IMAGE => (c"CUDA_ERROR_INVALID_IMAGE", c"device kernel image is invalid"),
            Self::INVALID_CONTEXT => (c"CUDA_ERROR_INVALID_CONTEXT", c"invalid device context"),
            Self::NO_BINARY_FOR_GPU => (
                c"CUDA_ERROR_NO_BINARY_FOR_GPU",
                c"no kernel image is available for execution on the device",
            ),
            Self::INVALID_HANDLE => (c"CUDA_ERROR_INVALID_HANDLE", c"invalid resource handle"),
            Self::NOT_FOUND => (c"CUDA_ERROR_NOT_FOUND", c"named symbol not found"),
            Self::NOT_READY => (c"CUDA_ERROR_NOT_READY", c"device not ready"),
            Self::ILLEGAL_ADDRESS => {
                (c"CUDA_ERROR_ILLEGAL_ADDRESS", c"an illegal memory access was encountered")
            }
            Self::LAUNCH_OUT_OF_RESOURCES => {
                (c"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", c"too many resources requested for launch")
            }
            Self::LAUNCH_FAILED => (c"CUDA_ERROR_LAUNCH_FAILED", c"unspecified launch failure"),
            Self::NOT_SUPPORTED => (c"CUDA_ERROR_NOT_SUPPORTED", c"operation not supported"),
            _ => return None,
        };
        Some(texts)
    }
}
