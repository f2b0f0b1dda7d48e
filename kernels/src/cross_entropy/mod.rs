//! The last linear map fused with its cross entropy, so that logits of all tokens never exist.
//!
//! ```text
//! maths     z[n, v] = sum_c h[n, c] W[v, c] + b[v]
//!           lse[n] = log sum_v exp z[n, v]
//!           loss = sum over labelled n of lse[n] - z[n, label[n]]           (nats)
//!           dz[n, v] = exp(z[n, v] - lse[n]) - [v = label[n]],  times the gradient of the loss
//!           dh = dz W,  dW = dz^T h,  db = sum_n dz
//! layout    h [N, C], W [V, C], b [V], labels [N] (i32, -100 = no label), loss [1], lse [N]
//! dtypes    f32 or f64; Bf16Mixed rounds h, W and dz before each product
//! memory    a chunk of logits at a time, at most 64 MiB in f32 or 64 rows
//! ordering  deterministic: chunks in token order
//! ```
//!
//! Rows without a label are skipped: their log-sum-exp and gradient are zero, whatever they hold.
//! With no label at all the loss is zero, and so is every gradient. The log-sum-exp is a
//! by-product for the backward; no gradient flows from it.

mod chunks;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;

use burn::tensor::{Int, Tensor};

pub(crate) use op::tracked;

use crate::{Kernels, Precision};

/// Label of a token that does not count.
pub const IGNORED_LABEL: i64 = -100;

/// What the forward pass leaves for the backward.
#[derive(Clone, Debug)]
pub struct Saved<B: Kernels> {
    /// `[N, C]`
    pub hidden: Tensor<B, 2>,
    /// `[V, C]`
    pub weight: Tensor<B, 2>,
    /// `[V]`
    pub bias: Option<Tensor<B, 1>>,
    /// `[N]`
    pub labels: Tensor<B, 1, Int>,
    /// `[N]`
    pub log_sum_exp: Tensor<B, 1>,
    /// Of the three products.
    pub precision: Precision,
}
