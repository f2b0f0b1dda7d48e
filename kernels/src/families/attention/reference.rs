//! Attention and its gradients in Burn operations, one batched product per group of segments.

use burn::tensor::{DType, FloatDType, Tensor, TensorData};

use super::batches::{Batch, restore};
use super::{AttentionProblem, Sizes};
use crate::families::precision::{PrecisionKernels, float_dtype};

/// `(output [N, H, D], log_sum_exp [N, H])`.
pub fn forward<B: PrecisionKernels>(
    q: Tensor<B, 3>,
    k: Tensor<B, 3>,
    v: Tensor<B, 3>,
    problem: &AttentionProblem,
) -> (Tensor<B, 3>, Tensor<B, 2>) {
    let sizes = Sizes::of(q.dims(), k.dims());
    let dtype = float_dtype(q.dtype());
    let [q, k, v] = [q, k, v].map(|x| problem.precision.operand(at_least_f32(x)));
    let batches = Batch::all(problem, sizes.query_heads);
    let parts = batches.iter().map(|batch| {
        let shape = Shape::new(batch, sizes);
        let q = shape.split_queries(batch.query_rows.take(&q));
        let k = shape.split_keys(batch.key_rows.take(&k));
        let v = shape.split_keys(batch.key_rows.take(&v));
        let (output, lse) = attend(shape.scores(q, k, problem), v, problem);
        (shape.join_queries(output), shape.join_row_numbers(lse))
    });
    let (outputs, lses): (Vec<_>, Vec<_>) = parts.unzip();
    let rows = || batches.iter().map(|batch| &batch.query_rows);
    (restore(outputs, rows()).cast(dtype), restore(lses, rows()))
}

/// Gradients of `q`, `k` and `v`.
///
/// `log_sum_exp` is a constant of the graph, so on a backend that differentiates this function
/// again the softmax is recomputed from the scores instead.
pub fn backward<B: PrecisionKernels>(
    grad: Tensor<B, 3>,
    q: Tensor<B, 3>,
    k: Tensor<B, 3>,
    v: Tensor<B, 3>,
    output: Tensor<B, 3>,
    log_sum_exp: &Tensor<B, 2>,
    problem: &AttentionProblem,
) -> (Tensor<B, 3>, Tensor<B, 3>, Tensor<B, 3>) {
    let sizes = Sizes::of(q.dims(), k.dims());
    let dtype = float_dtype(q.dtype());
    let [grad, output] = [grad, output].map(at_least_f32);
    // [N, H, 1]; taken before the rounding of the gradient.
    let delta = grad.clone().mul(output).sum_dim(2).squeeze_dim::<2>(2);
    let [q, k, v, grad] = [q, k, v, grad].map(|x| problem.precision.operand(at_least_f32(x)));
    let batches = Batch::all(problem, sizes.query_heads);
    let mut parts = (vec![], vec![], vec![]);
    for batch in &batches {
        let shape = Shape::new(batch, sizes);
        let q = shape.split_queries(batch.query_rows.take(&q));
        let k = shape.split_keys(batch.key_rows.take(&k));
        let v = shape.split_keys(batch.key_rows.take(&v));
        let grad = shape.split_queries(batch.query_rows.take(&grad));
        let delta = shape.split_row_numbers(batch.query_rows.take(&delta));
        let lse = shape.split_row_numbers(batch.query_rows.take(log_sum_exp));
        let p = probabilities(shape.scores(q.clone(), k.clone(), problem), lse);
        let dp = grad.clone().matmul(v.transpose());
        let ds = problem.precision.operand(dp.sub(delta).mul(p.clone()));
        let dv = problem.precision.operand(p).transpose().matmul(grad);
        let dk = ds.clone().transpose().matmul(q).mul_scalar(problem.scale);
        parts.0.push(shape.join_queries(ds.matmul(k).mul_scalar(problem.scale)));
        parts.1.push(shape.join_keys(dk));
        parts.2.push(shape.join_keys(dv));
    }
    let keys = || batches.iter().map(|batch| &batch.key_rows);
    let dq = restore(parts.0, batches.iter().map(|batch| &batch.query_rows));
    let (dk, dv) = (restore(parts.1, keys()), restore(parts.2, keys()));
    (dq.cast(dtype), dk.cast(dtype), dv.cast(dtype))
}

/// `(output, log-sum-exp)` of scores `[S, G, R n, m]`, both unnormalised until the end.
fn attend<B: PrecisionKernels>(
    scores: Tensor<B, 4>,
    v: Tensor<B, 4>,
    problem: &AttentionProblem,
) -> (Tensor<B, 4>, Tensor<B, 4>) {
    let largest = scores.clone().max_dim(3);
    let weights = scores.sub(largest.clone()).exp();
    let total = weights.clone().sum_dim(3);
    let output = problem.precision.operand(weights).matmul(v).div(total.clone());
    (output, total.log().add(largest))
}

fn probabilities<B: PrecisionKernels>(scores: Tensor<B, 4>, lse: Tensor<B, 4>) -> Tensor<B, 4> {
    if B::ad_enabled(&scores.device()) {
        return burn::tensor::activation::softmax(scores, 3);
    }
    scores.sub(lse).exp()
}

/// How one batch is laid out: R = H / G query heads share a key head, and their queries are
/// the rows of one product.
struct Shape {
    segments: usize,
    queries: usize,
    keys: usize,
    key_heads: usize,
    sharing: usize,
    width: usize,
}

impl Shape {
    fn new(batch: &Batch, sizes: Sizes) -> Self {
        Self {
            segments: batch.segments,
            queries: batch.queries,
            keys: batch.keys,
            key_heads: sizes.key_heads,
            sharing: sizes.query_heads / sizes.key_heads,
            width: sizes.width,
        }
    }

    /// `[S n, H, D] -> [S, G, R n, D]`.
    fn split_queries<B: PrecisionKernels>(&self, x: Tensor<B, 3>) -> Tensor<B, 4> {
        let Self { segments, queries, key_heads, sharing, width, .. } = *self;
        x.reshape([segments, queries, key_heads, sharing, width])
            .permute([0, 2, 3, 1, 4])
            .reshape([segments, key_heads, sharing * queries, width])
    }

    /// `[S, G, R n, D] -> [S n, H, D]`.
    fn join_queries<B: PrecisionKernels>(&self, x: Tensor<B, 4>) -> Tensor<B, 3> {
        let Self { segments, queries, key_heads, sharing, width, .. } = *self;
        x.reshape([segments, key_heads, sharing, queries, width])
            .permute([0, 3, 1, 2, 4])
            .reshape([segments * queries, key_heads * sharing, width])
    }

    /// `[S m, G, D] -> [S, G, m, D]`, a view.
    fn split_keys<B: PrecisionKernels>(&self, x: Tensor<B, 3>) -> Tensor<B, 4> {
        x.reshape([self.segments, self.keys, self.key_heads, self.width]).permute([0, 2, 1, 3])
    }

    /// `[S, G, m, D] -> [S m, G, D]`.
    fn join_keys<B: PrecisionKernels>(&self, x: Tensor<B, 4>) -> Tensor<B, 3> {
        x.permute([0, 2, 1, 3]).reshape([self.segments * self.keys, self.key_heads, self.width])
    }

    /// `[S n, H] -> [S, G, R n, 1]`.
    fn split_row_numbers<B: PrecisionKernels>(&self, x: Tensor<B, 2>) -> Tensor<B, 4> {
        let Self { segments, queries, key_heads, sharing, .. } = *self;
        x.reshape([segments, queries, key_heads * sharing]).permute([0, 2, 1]).reshape([
            segments,
            key_heads,
            sharing * queries,
            1,
        ])
    }

    /// `[S, G, R n, 1] -> [S n, H]`.
    fn join_row_numbers<B: PrecisionKernels>(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        let Self { segments, queries, key_heads, sharing, .. } = *self;
        x.reshape([segments, key_heads * sharing, queries])
            .permute([0, 2, 1])
            .reshape([segments * queries, key_heads * sharing])
    }

    /// Scaled scores `[S, G, R n, m]`, `-inf` where a query does not see a key.
    fn scores<B: PrecisionKernels>(
        &self,
        q: Tensor<B, 4>,
        k: Tensor<B, 4>,
        problem: &AttentionProblem,
    ) -> Tensor<B, 4> {
        let scores = q.matmul(k.transpose()).mul_scalar(problem.scale);
        if !problem.causal || self.queries == 1 {
            return scores;
        }
        let dims = scores.dims();
        let heads = self.segments * self.key_heads * self.sharing;
        let mask = self.causal_mask(&scores);
        scores.reshape([heads, self.queries * self.keys]).add(mask).reshape(dims)
    }

    /// `[1, n m]`: 0 for key `j <= m - n + i`, else `-inf`.
    fn causal_mask<B: PrecisionKernels>(&self, like: &Tensor<B, 4>) -> Tensor<B, 2> {
        let earlier = self.keys - self.queries;
        let row = |i: usize| {
            (0..self.keys).map(move |j| if j <= earlier + i { 0.0 } else { f32::NEG_INFINITY })
        };
        let values: Vec<f32> = (0..self.queries).flat_map(row).collect();
        let data = TensorData::new(values, [1, self.queries * self.keys]);
        Tensor::from_data(data, (&like.device(), like.dtype()))
    }
}

fn at_least_f32<B: PrecisionKernels, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.cast(FloatDType::F32),
        _ => x,
    }
}
