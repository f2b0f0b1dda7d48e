//! CUDA: what the kernels of all families share.
//!
//! Launches are data (`launch.rs`), checked against the text of the kernel (`signature.rs`), and given to a
//! [`Machine`]: the device (feature `cuda`), or in tests the emulator, which runs the same launches on the CPU.
//! So the host side of every family is executed without a GPU. Not here: mathematics; each family has its own.

#[cfg(feature = "cuda")]
mod array;
#[cfg(feature = "cuda")]
mod bridge;
#[cfg(all(test, feature = "cuda"))]
mod bridge_tests;
mod check;
pub(crate) mod compile;
#[cfg(feature = "cuda")]
mod context;
#[cfg(feature = "cuda")]
mod cublaslt;
#[cfg(feature = "cuda")]
pub(crate) mod device;
#[cfg(all(test, feature = "cuda"))]
mod device_sequence_tests;
#[cfg(all(test, feature = "cuda"))]
pub(crate) mod device_tests;
#[cfg(feature = "cuda")]
mod driver;
#[cfg(all(test, unix))]
pub(crate) mod emulated;
#[cfg(all(test, unix))]
pub(crate) mod emulator;
#[cfg(feature = "cuda")]
mod error;
#[cfg(feature = "cuda")]
mod lend;
mod libraries;
pub(crate) mod product;
pub(crate) mod rounding;
#[cfg(feature = "cuda")]
mod settings;
pub(crate) mod signature;

pub(crate) use crate::machine::{Array, Element, Launch, Machine, Source};
#[cfg(feature = "cuda")]
impl crate::cpu::Host for crate::Cuda {}
#[cfg(feature = "cuda")]
impl crate::cpu::Host for crate::PlainCuda {}

#[cfg(feature = "cuda")]
pub use compile::{CompileCounts, KernelStore};
#[cfg(feature = "cuda")]
pub use context::{DeviceFacts, check_device, compile_counts, device_facts};
#[cfg(feature = "cuda")]
pub use error::CudaError;
#[cfg(feature = "cuda")]
pub use settings::{AlreadyConfigured, Ordering, Settings, configure};

/// What a launch may ask of a machine of CUDA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Threads of a block.
    pub(crate) block_threads: u32,
    /// Shared memory of a block, static and dynamic, with its consent.
    pub(crate) shared_bytes: u32,
    /// Blocks of a grid along x; along y and z every device allows 65535.
    pub(crate) grid_x: u32,
    /// Processors, each of which runs a few blocks at a time.
    pub(crate) multiprocessors: u32,
}

/// A machine of CUDA: the device in production, the emulator in tests.
pub(crate) trait CudaMachine: Machine {
    /// Its limits.
    fn limits(&self) -> Limits;

    /// Computes a matrix product after what was given before.
    ///
    /// # Panics
    /// When an operand ends before its last element: a bug of the family's host side.
    fn multiply(&self, product: product::Product<'_, Self::Array>);
}
