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

/// The backend of CUDA: Burn's, without fusion, so that a tensor is device memory.
#[cfg(feature = "cuda")]
pub type Cuda = burn_cuda::Cuda<f32, i32>;
/// CUDA without a kernel of ours, composed of Burn operations: what our kernels are measured against.
///
/// It is Burn's backend as [`Cuda`], with masks of 32 bits instead of 8, which makes it a type of its
/// own. No reference has a mask anywhere but in attention and the loss.
#[cfg(feature = "cuda")]
pub type PlainCuda = burn_cubecl::CubeBackend<cubecl::cuda::CudaRuntime, f32, i32, u32>;

#[cfg(feature = "cuda")]
impl crate::cpu::Host for Cuda {}
#[cfg(feature = "cuda")]
impl crate::cpu::Host for PlainCuda {}

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
