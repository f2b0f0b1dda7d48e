//! wgpu as a backend: Vulkan, Metal or DX12, in f32. Where it has a WGSL kernel of its own; what is absent
//! here is the reference.

use crate::Kernels;

/// The backend of wgpu: Burn's, without fusion, so that tensors are buffers of one queue.
pub type Wgpu = burn_wgpu::Wgpu<f32, i32, u32>;

impl Kernels for Wgpu {
    fn own_kernels() -> Vec<&'static str> {
        crate::registry::overrides(include_str!("backend_wgpu.rs"))
    }
}
