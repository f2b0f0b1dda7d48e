//! The references alone on CUDA, composed of Burn operations: what our kernels are measured against.
//!
//! It is Burn's backend as in `backend_cuda.rs`, with masks of 32 bits instead of 8, which makes it a
//! type of its own. No reference has a mask anywhere but in attention and the loss.

use burn_cubecl::CubeBackend;
use cubecl::cuda::CudaRuntime;

use crate::Kernels;

/// CUDA without a kernel of ours.
pub type PlainCuda = CubeBackend<CudaRuntime, f32, i32, u32>;

impl Kernels for PlainCuda {}
