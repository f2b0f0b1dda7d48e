//! CUDA as a backend: where it has a kernel of its own. What is absent here is the reference.

use crate::Kernels;

/// The backend of CUDA: Burn's, without fusion, so that a tensor is device memory.
pub type Cuda = burn_cuda::Cuda<f32, i32>;

impl Kernels for Cuda {
    fn own_kernels() -> Vec<&'static str> {
        crate::registry::overrides(include_str!("backend_cuda.rs"))
    }
}
