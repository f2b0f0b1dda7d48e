//! Rows of a table by id, and the sum of gradients per row.
//!
//! ```text
//! maths     y[n, :] = W[ids[n], :],  dW[v, :] = sum over n with ids[n] = v of g[n, :]
//! layout    W [V, C], ids [N] (i32), y and g [N, C]
//! dtypes    f32 or f64
//! ordering  the sum of a row runs in token order on every machine: deterministic
//! checks    an id outside 0..V is an assertion that names it; on CUDA its row is NaN and it has no
//!           gradient, since naming it would make the host wait for the device
//! ```

pub(crate) mod cases;
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

use burn::tensor::Int;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

kernels! {
    pub trait EmbeddingKernels: Backend {
        fn embedding(weight: Tensor<Self, 2>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
            reference::forward(weight, ids)
        }
        fn embedding_backward(
            grad: Tensor<Self, 2>,
            ids: Tensor<Self, 1, Int>,
            num_rows: usize,
        ) -> Tensor<Self, 2> {
            reference::backward(grad, ids, num_rows)
        }
    }
    cpu {
        embedding_backward: |grad, ids, num_rows| cpu::backward(grad, &ids, num_rows),
    }
    gpu {
        embedding: gpu::forward,
        embedding_backward: gpu::backward,
    }
    autodiff {
        embedding: op::tracked,
    }
}

/// Rows of `weight [V, C]` at `ids [N]`.
pub fn embedding<B: EmbeddingKernels>(
    weight: Tensor<B, 2>,
    ids: Tensor<B, 1, Int>,
) -> Tensor<B, 2> {
    <B as EmbeddingKernels>::embedding(CHECKED, weight, ids)
}

/// Gradient of the table of `num_rows` rows.
pub fn embedding_backward<B: EmbeddingKernels>(
    grad: Tensor<B, 2>,
    ids: Tensor<B, 1, Int>,
    num_rows: usize,
) -> Tensor<B, 2> {
    let [tokens, _] = grad.dims();
    assert_shape("embedding_backward", "ids", ids.dims(), [tokens], "`grad` fixes N");
    <B as EmbeddingKernels>::embedding_backward(CHECKED, grad, ids, num_rows)
}
