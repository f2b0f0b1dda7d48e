//! Attention on the CPU, f32, f64 and mixed, forward and backward; no matrix of all scores.
//!
//! ```text
//! blocks    of query rows (`segments.rs`) against blocks of keys; their scores live in the caches.
//!           Where no row of a cache line sees a key, nothing is computed
//! products  of packed operands (`panel.rs`) by a tile of registers (`product.rs`), the softmax
//!           between them in `softmax.rs`
//! threads   tasks (`tasks.rs`) write rows of their own; the bits depend on the segment alone
//! mixed     operands are bf16; weights are rounded relative to the largest score so far, which
//!           is that of the row in the last block of keys
//! source    the order of the loops is that of Dao, "FlashAttention-2", arXiv:2307.08691
//! ```

mod backward;
mod forward;
mod numerics;
mod pack;
mod panel;
mod product;
mod scatter;
mod segments;
mod softmax;
mod tasks;

use burn::backend::Flex;
use burn::tensor::Tensor;

use self::backward::{Known, differentiate};
use self::forward::attend;
use self::numerics::{FullProducts, MixedProducts, MixedWideProducts, Numerics};
use self::scatter::written;
use self::segments::Segment;
use self::tasks::{backward_tasks, for_tasks, forward_tasks};
use super::{AttentionProblem, Sizes};
use crate::Precision;
use crate::cpu::{Element, input, is_f64, output};

/// The inputs of a call.
struct Call<'a, T> {
    problem: &'a AttentionProblem,
    sizes: Sizes,
    q: &'a [T],
    k: &'a [T],
    v: &'a [T],
}

/// [`attention`](fn@crate::families::attention::attention).
pub(crate) fn forward(
    q: Tensor<Flex, 3>,
    k: Tensor<Flex, 3>,
    v: Tensor<Flex, 3>,
    problem: &AttentionProblem,
) -> (Tensor<Flex, 3>, Tensor<Flex, 2>) {
    let wide = is_f64("attention", &[q.dtype(), k.dtype(), v.dtype()]);
    match (wide, problem.precision) {
        (true, Precision::Full) => forward_in::<FullProducts<f64>>(q, k, v, problem),
        (true, Precision::Bf16Mixed) => forward_in::<MixedWideProducts>(q, k, v, problem),
        (false, Precision::Full) => forward_in::<FullProducts<f32>>(q, k, v, problem),
        (false, Precision::Bf16Mixed) => forward_in::<MixedProducts>(q, k, v, problem),
    }
}

fn forward_in<N: Numerics>(
    q: Tensor<Flex, 3>,
    k: Tensor<Flex, 3>,
    v: Tensor<Flex, 3>,
    problem: &AttentionProblem,
) -> (Tensor<Flex, 3>, Tensor<Flex, 2>) {
    let (shape, sizes) = (q.dims(), Sizes::of(q.dims(), k.dims()));
    let [q, k, v] = [q, k, v].map(input);
    let [q, k, v] = [&q, &k, &v].map(N::Number::view);
    let call = Call { problem, sizes, q, k, v };
    let segments = Segment::all(problem, sizes);
    let tasks = forward_tasks::<N::Number>(&segments, rayon::current_num_threads());
    let [rows, heads, _] = shape;
    let mut lse = vec![];
    // SAFETY: the tasks cover the queries of all segments, and those all rows of all heads.
    let out = unsafe {
        written(q.len(), |out| {
            lse = written(rows * heads, |lse| {
                for_tasks(&tasks, |task| attend::<N>(&call, task, out, lse));
            });
        })
    };
    (output(out, shape), output(lse, [rows, heads]))
}

/// [`attention_backward`](fn@crate::families::attention::attention_backward).
pub(crate) fn backward(
    grad: Tensor<Flex, 3>,
    inputs: [Tensor<Flex, 3>; 3],
    out: Tensor<Flex, 3>,
    log_sum_exp: Tensor<Flex, 2>,
    problem: &AttentionProblem,
) -> (Tensor<Flex, 3>, Tensor<Flex, 3>, Tensor<Flex, 3>) {
    let [q, k, v] = inputs.each_ref().map(Tensor::dtype);
    let known = [grad.dtype(), out.dtype(), log_sum_exp.dtype()];
    let wide = is_f64("attention_backward", &[&[q, k, v][..], &known].concat());
    let run = match (wide, problem.precision) {
        (true, Precision::Full) => backward_in::<FullProducts<f64>>,
        (true, Precision::Bf16Mixed) => backward_in::<MixedWideProducts>,
        (false, Precision::Full) => backward_in::<FullProducts<f32>>,
        (false, Precision::Bf16Mixed) => backward_in::<MixedProducts>,
    };
    run([grad, out], inputs, log_sum_exp, problem)
}

fn backward_in<N: Numerics>(
    known: [Tensor<Flex, 3>; 2],
    inputs: [Tensor<Flex, 3>; 3],
    log_sum_exp: Tensor<Flex, 2>,
    problem: &AttentionProblem,
) -> (Tensor<Flex, 3>, Tensor<Flex, 3>, Tensor<Flex, 3>) {
    let [of_q, of_k, of_v] = inputs.each_ref().map(Tensor::dims);
    let sizes = Sizes::of(of_q, of_k);
    let (known, inputs, log_sum_exp) = (known.map(input), inputs.map(input), input(log_sum_exp));
    let [grad, out] = known.each_ref().map(N::Number::view);
    let [q, k, v] = inputs.each_ref().map(N::Number::view);
    let known = Known { grad, output: out, log_sum_exp: N::Number::view(&log_sum_exp) };
    let call = Call { problem, sizes, q, k, v };
    let segments = Segment::all(problem, sizes);
    let tasks = backward_tasks::<N::Number>(&segments, rayon::current_num_threads());
    let (mut dk, mut dv) = (vec![], vec![]);
    // SAFETY: the tasks cover the queries and keys of all segments, and those all rows.
    let dq = unsafe {
        written(q.len(), |dq| {
            dk = written(k.len(), |dk| {
                dv = written(v.len(), |dv| {
                    for_tasks(&tasks, |task| differentiate::<N>(&call, &known, task, [dq, dk, dv]));
                });
            });
        })
    };
    (output(dq, of_q), output(dk, of_k), output(dv, of_v))
}
