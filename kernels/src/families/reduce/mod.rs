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

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};

/// Numbers summed before the partial sums are.
pub const ROW: usize = 4096;

kernels! {
    pub trait ReduceKernels: Backend {
        fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
            reference::sum_of_squares(x)
        }
    }
    cpu {
        sum_of_squares: cpu::sum_of_squares,
    }
    gpu {
        sum_of_squares: gpu::of_tensor,
    }
    autodiff {}
}

/// Sum of squares of `x [P]`, `[1]`.
pub fn sum_of_squares<B: ReduceKernels>(x: Tensor<B, 1>) -> Tensor<B, 1> {
    <B as ReduceKernels>::sum_of_squares(CHECKED, x)
}
