//! Sums over a whole buffer.
//!
//! ```text
//! maths     s = sum_p x[p]^2
//! layout    x [P], s [1]
//! dtypes    f32 or f64
//! ordering  rows of 4096 first, then the rows: a fixed tree whatever the number of threads,
//!           and an error that grows with the depth of the two sums rather than with P
//! ```
//!
//! The backend's own whole-tensor sum is not used on long buffers: on the CPU its order depends
//! on how the threads happen to divide the work.
//!
//! No op: gradients are clipped outside the graph.

#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

/// Numbers summed before the partial sums are.
pub const ROW: usize = 4096;
