//! The backends that operations are implemented for, by name; over each of them stands Burn's `Autodiff`.
//!
//! A crate of its own so that Burn's operations on a GPU are compiled once: they are generic, and
//! every crate that used one would compile all that is below it again.

#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub mod compiled;

/// The backend of the CPU: Burn's Flex. Its dtype is a property of each tensor, f32 or f64.
pub type Cpu = burn::backend::Flex;

/// The backend of CUDA: Burn's, without fusion, so that a tensor is device memory.
#[cfg(feature = "cuda")]
pub type Cuda = burn_cuda::Cuda<f32, i32>;

/// CUDA without a kernel of ours, composed of Burn operations: what our kernels are measured against.
///
/// It is Burn's backend as [`Cuda`], with masks of 32 bits instead of 8, which makes it a type of its
/// own. No reference has a mask anywhere but in attention and the loss.
#[cfg(feature = "cuda")]
pub type PlainCuda = burn_cubecl::CubeBackend<cubecl::cuda::CudaRuntime, f32, i32, u32>;

/// The backend of wgpu: Burn's, without fusion, so that tensors are buffers of one queue.
#[cfg(feature = "wgpu")]
pub type Wgpu = burn_wgpu::Wgpu<f32, i32, u32>;
