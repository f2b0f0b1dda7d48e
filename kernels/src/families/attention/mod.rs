//! Softmax attention of packed sequences: every segment attends to itself alone.
//!
//! ```text
//! maths     s[i, j] = scale q[i] . k[j]             for keys j that query i sees, else -inf
//!           lse[i] = log sum_j exp s[i, j],  p = exp(s - lse),  o[i] = sum_j p[i, j] v[j]
//!           dv = p^T g,  dp = g v^T,  delta[i] = g[i] . o[i],  ds = p (dp - delta)
//!           dq = scale ds k,  dk = scale ds^T q
//! layout    q, o, g [N, H, D]; k, v [M, G, D]; lse [N, H]; H % G == 0, head h uses h / (H / G)
//! segments  queries starts[s]..starts[s + 1] see the keys of segment s only; if causal, query i
//!           of n sees keys 0..=(m - n + i) of m: aligned at the end, as with a cache of keys
//! dtypes    f32 or f64; scores and softmax at least f32. Bf16Mixed rounds q, k, v, g, ds, and
//!           p relative to its row maximum, before each product
//! ordering  deterministic; no score between two segments is ever formed
//! source    Vaswani et al., arXiv:1706.03762; the saved log-sum-exp and delta are those of
//!           Dao, "FlashAttention-2", arXiv:2307.08691
//! ```
//!
//! The log-sum-exp is a by-product for the backward; no gradient flows from it.

mod batches;
pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix, feature = "wgpu")))]
mod cuda_mma;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod gpu;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod work;

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::Precision;
use crate::dispatch::{CHECKED, kernels};
use crate::families::precision::PrecisionKernels;
use crate::shape::assert_shape;

/// Which queries see which keys, and how the scores are scaled.
#[derive(Clone, PartialEq, Debug)]
pub struct AttentionProblem {
    /// `[S + 1]`, from 0 to N: where the queries of each segment start.
    pub query_starts: Arc<[u32]>,
    /// `[S + 1]`, from 0 to M: where the keys of each segment start.
    pub key_starts: Arc<[u32]>,
    /// Whether a query sees only keys up to its own position.
    pub causal: bool,
    /// Factor of the scores, usually `1 / sqrt(D)`.
    pub scale: f64,
    /// Precision of the four products.
    pub precision: Precision,
}

/// Sizes of one call.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    query_heads: usize,
    key_heads: usize,
    width: usize,
}

impl AttentionProblem {
    /// Sequences attending to themselves, `cu_seqlens` `[S + 1]` from 0 to N.
    pub fn packed(cu_seqlens: &[u32], causal: bool, scale: f64, precision: Precision) -> Self {
        let starts: Arc<[u32]> = cu_seqlens.into();
        Self { query_starts: starts.clone(), key_starts: starts, causal, scale, precision }
    }

    /// `(queries, keys)` of every segment.
    pub fn lengths(&self) -> impl Iterator<Item = (usize, usize)> {
        let length = |pair: &[u32]| pair[1].saturating_sub(pair[0]) as usize;
        let queries = self.query_starts.windows(2).map(length);
        queries.zip(self.key_starts.windows(2).map(length))
    }

    /// Asserts everything the mathematics needs.
    fn check(&self, q: [usize; 3], k: [usize; 3], v: [usize; 3]) {
        let [queries, query_heads, width] = q;
        let [keys, key_heads, _] = k;
        assert_shape("attention", "k", k, [keys, key_heads, width], "`q` fixes D");
        assert_shape("attention", "v", v, k, "`k` has that shape");
        assert!(
            key_heads > 0 && query_heads % key_heads == 0,
            "attention: {query_heads} query heads cannot share {key_heads} key heads; \
             the first must be a multiple of the second"
        );
        check_starts("query_starts", &self.query_starts, queries);
        check_starts("key_starts", &self.key_starts, keys);
        assert!(
            self.query_starts.len() == self.key_starts.len(),
            "attention: `query_starts` has {} entries but `key_starts` {}; both must be S + 1",
            self.query_starts.len(),
            self.key_starts.len()
        );
        for (segment, (n, m)) in self.lengths().enumerate() {
            assert!(
                n > 0 && m > 0 && (!self.causal || m >= n),
                "attention: segment {segment} has {n} queries and {m} keys; both must be \
                 positive and causal attention needs at least as many keys as queries"
            );
        }
    }
}

impl Sizes {
    /// Of queries and keys.
    fn of([_, query_heads, width]: [usize; 3], [_, key_heads, _]: [usize; 3]) -> Self {
        Self { query_heads, key_heads, width }
    }
}

/// Asserts that `starts` rises from 0 to `rows`.
fn check_starts(name: &str, starts: &[u32], rows: usize) {
    let ends = (starts.first().copied(), starts.last().map(|&last| last as usize));
    assert!(
        ends == (Some(0), Some(rows)),
        "attention: `{name}` runs from {:?} to {:?} but must run from 0 to the {rows} rows",
        ends.0,
        ends.1
    );
    assert!(starts.is_sorted(), "attention: `{name}` must not decrease: {starts:?}");
}

#[cfg(all(test, feature = "wgpu"))]
pub(crate) use gpu::shaders;

kernels! {
    pub trait AttentionKernels: PrecisionKernels {
        fn attention(
            q: Tensor<Self, 3>,
            k: Tensor<Self, 3>,
            v: Tensor<Self, 3>,
            problem: &AttentionProblem,
        ) -> (Tensor<Self, 3>, Tensor<Self, 2>) {
            reference::forward(q, k, v, problem)
        }
        fn attention_backward(
            grad: Tensor<Self, 3>,
            inputs: [Tensor<Self, 3>; 3],
            output: Tensor<Self, 3>,
            log_sum_exp: Tensor<Self, 2>,
            problem: &AttentionProblem,
        ) -> (Tensor<Self, 3>, Tensor<Self, 3>, Tensor<Self, 3>) {
            let [q, k, v] = inputs;
            reference::backward(grad, q, k, v, output, &log_sum_exp, problem)
        }
    }
    cpu {
        attention: cpu::forward,
        attention_backward: cpu::backward,
    }
    cuda {
        attention: |q, k, v, problem| gpu::attention_by([q, k, v], problem, cuda_mma::forward),
        attention_backward: |grad, inputs, output, log_sum_exp, problem| {
            gpu::backward_by(inputs, [grad, output], log_sum_exp, problem, cuda_mma::backward)
        },
    }
    wgpu {
        attention: |q, k, v, problem| gpu::attention_by([q, k, v], problem, gpu::forward),
        attention_backward: |grad, inputs, output, log_sum_exp, problem| {
            gpu::backward_by(inputs, [grad, output], log_sum_exp, problem, gpu::backward)
        },
    }
    autodiff {
        attention: op::tracked,
    }
}

/// `q [N, H, D]`, `k`, `v [M, G, D]` to `(output [N, H, D], log_sum_exp [N, H])`. The second
/// carries no gradient.
pub fn attention<B: AttentionKernels>(
    q: Tensor<B, 3>,
    k: Tensor<B, 3>,
    v: Tensor<B, 3>,
    problem: &AttentionProblem,
) -> (Tensor<B, 3>, Tensor<B, 2>) {
    problem.check(q.dims(), k.dims(), v.dims());
    <B as AttentionKernels>::attention(CHECKED, q, k, v, problem)
}

/// Gradients of `q`, `k`, `v`.
pub fn attention_backward<B: AttentionKernels>(
    grad: Tensor<B, 3>,
    q: Tensor<B, 3>,
    k: Tensor<B, 3>,
    v: Tensor<B, 3>,
    output: Tensor<B, 3>,
    log_sum_exp: Tensor<B, 2>,
    problem: &AttentionProblem,
) -> (Tensor<B, 3>, Tensor<B, 3>, Tensor<B, 3>) {
    let (of_q, name) = (q.dims(), "attention_backward");
    problem.check(of_q, k.dims(), v.dims());
    assert_shape(name, "grad", grad.dims(), of_q, "as `q`");
    assert_shape(name, "output", output.dims(), of_q, "as `q`");
    assert_shape(name, "log_sum_exp", log_sum_exp.dims(), [of_q[0], of_q[1]], "[N, H] of `q`");
    <B as AttentionKernels>::attention_backward(
        CHECKED,
        grad,
        [q, k, v],
        output,
        log_sum_exp,
        problem,
    )
}
