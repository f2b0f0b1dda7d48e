//! Rotary position embedding: pairs of features of every head turn by an angle per position.
//!
//! ```text
//! maths     x = (x1, x2), halves of D/2:  y1 = x1 cos - x2 sin,  y2 = x2 cos + x1 sin
//!           the backward is the inverse rotation: the same with -sin
//! layout    x, y [N, H, D]; cos, sin [N, D/2], one row per token, shared by all heads
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Su et al., "RoFormer", arXiv:2104.09864, in the half-split order of Llama and ESM-2
//! ```
//!
//! The tables are constants: no gradient flows to `cos` and `sin`.

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

kernels! {
    pub trait RotaryKernels: Backend {
        fn rotary(
            x: Tensor<Self, 3>,
            cos: Tensor<Self, 2>,
            sin: Tensor<Self, 2>,
        ) -> Tensor<Self, 3> {
            reference::forward(x, cos, sin)
        }
    }
    cpu {
        rotary: cpu::forward,
    }
    gpu {
        rotary: gpu::forward,
    }
    autodiff {
        rotary: op::tracked,
    }
}

/// `[N, H, D] -> [N, H, D]`; `cos`, `sin` are `[N, D/2]`.
pub fn rotary<B: RotaryKernels>(
    x: Tensor<B, 3>,
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
) -> Tensor<B, 3> {
    let [tokens, _, width] = x.dims();
    assert!(width % 2 == 0, "rotary: the head width is {width} but must be even");
    for (name, table) in [("cos", &cos), ("sin", &sin)] {
        assert_shape("rotary", name, table.dims(), [tokens, width / 2], "`x` fixes N and D");
    }
    <B as RotaryKernels>::rotary(CHECKED, x, cos, sin)
}
