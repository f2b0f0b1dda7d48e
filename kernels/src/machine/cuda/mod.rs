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
pub(crate) mod elementwise;
mod emitted;
#[cfg(all(test, unix))]
pub(crate) mod emulated;
#[cfg(all(test, unix))]
pub(crate) mod emulator;
#[cfg(feature = "cuda")]
mod error;
pub(crate) mod launch;
#[cfg(feature = "cuda")]
mod libraries;
pub(crate) mod machine;
pub(crate) mod product;
pub(crate) mod rounding;
#[cfg(feature = "cuda")]
mod settings;
pub(crate) mod signature;
#[cfg(feature = "cuda")]
pub(crate) mod tensors;

#[cfg(feature = "cuda")]
impl crate::cpu::Host for crate::Cuda {}
#[cfg(feature = "cuda")]
impl crate::cpu::Host for crate::PlainCuda {}

#[cfg(feature = "cuda")]
pub use compile::{CompileCounts, KernelStore};
#[cfg(feature = "cuda")]
pub use context::{DeviceFacts, check_device, compile_counts, device_facts};
pub(crate) use emitted::Emitted;
#[cfg(feature = "cuda")]
pub use error::CudaError;
pub(crate) use launch::{Launch, Source};
pub(crate) use machine::{Array, Element, Machine};
#[cfg(feature = "cuda")]
pub use settings::{AlreadyConfigured, Ordering, Settings, configure};
