//! Gated feed-forward activation.
//!
//! ```text
//! maths     y = silu(gate) up,  silu(a) = a s(a),  s = logistic function
//!           dgate = g up s (1 + a (1 - s)),  dup = g silu(a)
//! layout    gate, up, y, g [N, F]
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202, eq. (6)
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
    pub trait SwigluKernels: Backend {
        fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
            reference::forward(gate, up)
        }
        fn swiglu_backward(
            grad: Tensor<Self, 2>,
            gate: Tensor<Self, 2>,
            up: Tensor<Self, 2>,
        ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
            reference::backward(grad, gate, up)
        }
    }
    cpu {
        swiglu: cpu::forward,
        swiglu_backward: cpu::backward,
    }
    gpu {
        swiglu: gpu::forward,
        swiglu_backward: gpu::backward,
    }
    autodiff {
        swiglu: op::tracked,
    }
}

/// `silu(gate) * up`, `[N, F]`.
pub fn swiglu<B: SwigluKernels>(gate: Tensor<B, 2>, up: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("swiglu", "up", up.dims(), gate.dims(), "`gate` has that shape");
    <B as SwigluKernels>::swiglu(CHECKED, gate, up)
}

/// Gradients of `gate` and `up`.
pub fn swiglu_backward<B: SwigluKernels>(
    grad: Tensor<B, 2>,
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    for (name, x) in [("up", &up), ("grad", &grad)] {
        assert_shape("swiglu_backward", name, x.dims(), gate.dims(), "`gate` has that shape");
    }
    <B as SwigluKernels>::swiglu_backward(CHECKED, grad, gate, up)
}
