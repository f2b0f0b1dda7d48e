//! What the kernels of GPUs share: CUDA, wgpu, and kernels printed for both from one description. Not here: any
//! operation.

#[cfg(all(test, unix, not(feature = "cuda")))]
pub(crate) mod cuda;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(any(test, feature = "cuda", feature = "wgpu"))]
pub(crate) mod emit;
#[cfg(feature = "wgpu")]
pub mod wgpu;
