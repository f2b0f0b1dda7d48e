//! SiLU with two derivatives, as networks need whose loss contains derivatives.
//!
//! ```text
//! maths     y = x s(x), s the logistic function; y'(x) = s (1 + x (1 - s))
//!           slope   y'(x) a, the change along a, and with a = g the gradient of x
//!           bend    y''(x) a b = s (1 - s) (2 + x (1 - 2 s)) a b, symmetric in a and b
//! layout    any rows, [N, C], all operands alike
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Elfwing et al., arXiv:1702.03118, section 2
//! ```

pub(crate) mod cases;
pub(crate) mod cpu;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod formula;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

kernels! {
    pub trait SiluKernels: Backend {
        fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
            reference::forward(x)
        }
        fn silu_slope(along: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
            reference::slope(along, x)
        }
        fn silu_bend(
            a: Tensor<Self, 2>,
            b: Tensor<Self, 2>,
            x: Tensor<Self, 2>,
        ) -> Tensor<Self, 2> {
            reference::bend(a, b, x)
        }
    }
    cpu {
        silu: cpu::forward,
        silu_slope: cpu::slope,
        silu_bend: cpu::bend,
    }
    gpu {
        silu: gpu::forward,
        silu_slope: gpu::slope,
        silu_bend: gpu::bend,
    }
    autodiff {
        silu: op::tracked,
        silu_slope: op::slope_tracked,
    }
}

/// `x s(x)`, elementwise on `[N, C]`.
pub fn silu<B: SiluKernels>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    <B as SiluKernels>::silu(CHECKED, x)
}

/// Change along `along`, and with a gradient in its place that of `x`.
pub fn silu_slope<B: SiluKernels>(along: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("silu_slope", "along", along.dims(), x.dims(), "`x` has that shape");
    <B as SiluKernels>::silu_slope(CHECKED, along, x)
}

/// Second derivative times both directions.
pub fn silu_bend<B: SiluKernels>(
    a: Tensor<B, 2>,
    b: Tensor<B, 2>,
    x: Tensor<B, 2>,
) -> Tensor<B, 2> {
    for (name, direction) in [("a", &a), ("b", &b)] {
        assert_shape("silu_bend", name, direction.dims(), x.dims(), "`x` has that shape");
    }
    <B as SiluKernels>::silu_bend(CHECKED, a, b, x)
}
