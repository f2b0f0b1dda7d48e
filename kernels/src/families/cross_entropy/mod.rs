//! The last linear map fused with its cross entropy, so that logits of all tokens never exist.
//!
//! ```text
//! maths     z[n, v] = sum_c h[n, c] W[v, c] + b[v]
//!           lse[n] = log sum_v exp z[n, v]
//!           loss = sum over labelled n of lse[n] - z[n, label[n]]           (nats)
//!           dz[n, v] = exp(z[n, v] - lse[n]) - [v = label[n]]
//!           dh = dz W,  dW = dz^T h,  db = sum_n dz
//! layout    h [N, C], W [V, C], b [V], labels [N] (i32, -100 = no label), loss [1], lse [N]
//! dtypes    f32 or f64; Bf16Mixed rounds h, W and dz before each product
//! memory    a chunk of logits at a time, at most 64 MiB in f32 or 64 rows; on CUDA 512 MiB
//! checks    a label outside 0..V is an assertion that names it; on CUDA it makes the loss NaN, since
//!           naming it would make the host wait for the device
//! ordering  deterministic: chunks in token order
//! ```
//!
//! Rows without a label are skipped: their log-sum-exp and gradient are zero, whatever they hold.
//! With no label at all the loss is zero, and so is every gradient. The log-sum-exp is a by-product;
//! no gradient flows from it. Gradients are made with the loss, while its logits are at hand, so
//! inside a graph the backward only multiplies them.

mod chunks;
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod softmax;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::Tensor;

pub(crate) use op::tracked;

use crate::Kernels;

/// Label of a token that does not count.
pub const IGNORED_LABEL: i64 = -100;

/// Logits of a chunk, in elements: 64 MiB in f32.
const MAX_LOGITS: usize = 1 << 24;
/// Fewer rows than this would read the weight too often.
const MIN_ROWS: usize = 64;

/// Loss, log-sum-exp, and the gradients of the loss.
#[derive(Clone, Debug)]
pub struct LossAndGradients<B: Kernels> {
    /// `[1]`
    pub loss: Tensor<B, 1>,
    /// `[N]`
    pub log_sum_exp: Tensor<B, 1>,
    /// `[N, C]`
    pub hidden: Tensor<B, 2>,
    /// `[V, C]`
    pub weight: Tensor<B, 2>,
    /// `[V]`
    pub bias: Option<Tensor<B, 1>>,
}
