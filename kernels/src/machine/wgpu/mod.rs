//! Plumbing of the WGSL kernels: what a family needs to run a `.wgsl` file of its own on the queue on
//! which Burn's wgpu backend runs, so that both see each other's results without waiting.
//!
//! ```text
//! params.rs   numbers of a launch, in the layout of the kernel's struct
//! shader.rs   a WGSL text, an entry point and the constants it is compiled with
//! array.rs    tensors as contiguous arrays, and back
//! machine.rs  an adapter as a machine: the launches that families describe once
//! launch.rs   the launch: limits of the device checked, then handed to cubecl
//! adapter.rs  which adapters there are
//! group.wgsl, bf16.wgsl, functions.wgsl   functions that several kernels share, put before their text
//! ```
//!
//! What every kernel keeps to, checked without a GPU in `shader_tests.rs`: bindings are `0..` without a
//! gap, arrays first, the uniform `Params` last; arrays are `read_write`, since cubecl places several
//! tensors in one buffer and wgpu refuses one buffer both ways in a launch; nothing exceeds what WebGPU
//! guarantees. The size of a subgroup is never assumed, nor is that arrays are checked: cubecl switches
//! the checks off, so kernels guard every access themselves.
//!
//! Not here: any mathematics, and matrix products, which are Burn's.

mod adapter;
mod array;
mod launch;
mod limits;
mod machine;
mod params;
mod shader;
#[cfg(test)]
mod shader_tests;
#[cfg(test)]
pub(crate) mod testing;

impl crate::cpu::Host for crate::Wgpu {}

impl crate::lend::Lend for crate::Wgpu {}

pub use adapter::{Adapter, AdapterKind, adapters, default_adapter};
pub(crate) use array::Array;
pub(crate) use machine::WgpuMachine;
pub(crate) use params::Field;
pub(crate) use shader::{BF16, FUNCTIONS, GROUP, Shader, Source};
