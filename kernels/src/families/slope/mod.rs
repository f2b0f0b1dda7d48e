//! Rows of values whose dependence on one number per row is known by its slope.
//!
//! ```text
//! maths     follow      y[p, :] = v[p, :]; as a function of x[p] its derivative is d[p, :]
//!           dot_rows    y[p] = sum_k a[p, k] b[p, k]
//!           scale_rows  y[p, k] = s[p] a[p, k]
//!           half        values or slopes of a curve [2, P, K]; from_half puts zeros beside one
//! gradients follow: dx = dot_rows(g, d), dv = g; of d none, as y does not contain it.
//!           dot_rows: da = scale_rows(g, b), db = scale_rows(g, a).
//!           scale_rows: ds = dot_rows(g, a), da = scale_rows(s, g). half and from_half are each
//!           other's.
//! layout    v, d, a, b [P, K]; x, s [P, 1]
//! dtypes    f32 or f64
//! ordering  sums over k in a fixed order for any number of threads
//! empty     P = 0 is valid; K = 0 sums to 0
//! ```
//!
//! A network whose features of an edge depend on its length alone computes values and slopes side by
//! side, by products of matrices, and `follow` ties them together: one differentiation by the length
//! then costs a dot product and leaves parameters to the next. It ties them in
//! the uppermost graph alone: a graph below sees the values and slopes as they were computed, so a
//! second differentiation by the length takes the slope's own way there.

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
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

/// A half of a curve `[2, P, K]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The values, which come first.
    Values,
    /// Their derivatives.
    Slopes,
}

impl Half {
    /// Which of the two.
    fn index(self) -> usize {
        match self {
            Self::Values => 0,
            Self::Slopes => 1,
        }
    }
}

kernels! {
    pub trait SlopeKernels: Backend {
        fn half(curve: Tensor<Self, 3>, half: Half) -> Tensor<Self, 2> {
            reference::half(&curve, half)
        }
        fn from_half(x: Tensor<Self, 2>, half: Half) -> Tensor<Self, 3> {
            reference::from_half(x, half)
        }
        fn follow(
            x: Tensor<Self, 2>,
            values: Tensor<Self, 2>,
            slopes: Tensor<Self, 2>,
        ) -> Tensor<Self, 2> {
            reference::follow(&x, values, &slopes)
        }
        fn dot_rows(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
            reference::dot(a, b)
        }
        fn scale_rows(scales: Tensor<Self, 2>, a: Tensor<Self, 2>) -> Tensor<Self, 2> {
            reference::scale(scales, a)
        }
    }
    cpu {
        half: cpu::half,
        from_half: cpu::from_half,
        dot_rows: cpu::dot,
        scale_rows: cpu::scale,
    }
    gpu {
        dot_rows: gpu::dot_rows,
        scale_rows: gpu::scale_rows,
    }
    autodiff {
        half: op::half_tracked,
        from_half: op::from_half_tracked,
        follow: op::follow_tracked,
        dot_rows: op::dot_tracked,
        scale_rows: op::scale_tracked,
    }
}

/// Values or slopes of a curve, `[2, P, K] -> [P, K]`.
pub fn half<B: SlopeKernels>(curve: Tensor<B, 3>, half: Half) -> Tensor<B, 2> {
    let [_, rows, width] = curve.dims();
    assert_shape("half", "curve", curve.dims(), [2, rows, width], "a curve has halves");
    <B as SlopeKernels>::half(CHECKED, curve, half)
}

/// A curve with this half, the other zero.
pub fn from_half<B: SlopeKernels>(x: Tensor<B, 2>, half: Half) -> Tensor<B, 3> {
    <B as SlopeKernels>::from_half(CHECKED, x, half)
}

/// `values [P, K]` as a function of `x [P, 1]` with these slopes.
pub fn follow<B: SlopeKernels>(
    x: Tensor<B, 2>,
    values: Tensor<B, 2>,
    slopes: Tensor<B, 2>,
) -> Tensor<B, 2> {
    assert_shape("follow", "slopes", slopes.dims(), values.dims(), "`values` has that shape");
    assert_shape("follow", "x", x.dims(), [values.dims()[0], 1], "`values` has P rows");
    <B as SlopeKernels>::follow(CHECKED, x, values, slopes)
}

/// Dot products of rows, `[P, K]` twice to `[P, 1]`.
pub fn dot_rows<B: SlopeKernels>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("dot_rows", "b", b.dims(), a.dims(), "`a` has that shape");
    <B as SlopeKernels>::dot_rows(CHECKED, a, b)
}

/// Multiples of rows, `scales [P, 1]`, `a [P, K]`.
pub fn scale_rows<B: SlopeKernels>(scales: Tensor<B, 2>, a: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("scale_rows", "scales", scales.dims(), [a.dims()[0], 1], "`a` has P rows");
    <B as SlopeKernels>::scale_rows(CHECKED, scales, a)
}
