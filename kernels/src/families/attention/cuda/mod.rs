//! Attention on CUDA: f32 mixed with bf16 through tensor cores, everything else by plain multiplications.
//!
//! ```text
//! mma     `attention_mma.cu`: f32, Bf16Mixed, head widths to 128; operands are staged as bf16 first
//! plain   `attention.cu`: f32 and f64, both precisions, head widths to 256
//! ```

mod mma;
mod plain;
#[cfg(all(test, unix))]
mod tests;
mod work;

use self::work::{ITEM, Of, items};
use super::{AttentionProblem, Sizes};
use crate::Precision;
use crate::machine::cuda::{Array, CudaMachine, Element};

/// The widest head that a block can hold the sums of.
const MOST_WIDTH: usize = 256;

/// What a call is about: queries, keys and values, and their shapes `[N, H, D]` and `[M, G, D]`.
#[derive(Debug)]
pub(crate) struct Inputs<'a, A> {
    pub(crate) q: &'a A,
    pub(crate) k: &'a A,
    pub(crate) v: &'a A,
    pub(crate) query_shape: [usize; 3],
    pub(crate) key_shape: [usize; 3],
    pub(crate) problem: &'a AttentionProblem,
}

/// What the backward gets besides the inputs: `grad` and `output [N, H, D]`, `log_sum_exp [N, H]`.
#[derive(Debug)]
pub(crate) struct Known<'a, A> {
    pub(crate) grad: &'a A,
    pub(crate) output: &'a A,
    pub(crate) log_sum_exp: &'a A,
}

impl<A: Array> Inputs<'_, A> {
    /// Asserts that heads fit.
    fn sizes(&self) -> Sizes {
        let sizes = Sizes::of(self.query_shape, self.key_shape);
        let width = sizes.width;
        assert!(
            width <= MOST_WIDTH,
            "attention: heads of {width} numbers, but kernels for CUDA hold at most {MOST_WIDTH}"
        );
        sizes
    }

    fn element(&self) -> Element {
        self.q.element()
    }

    fn queries(&self) -> usize {
        self.query_shape[0]
    }

    /// Whether there is nothing to compute.
    fn is_empty(&self) -> bool {
        self.q.len() == 0 || self.k.len() == 0
    }

    fn uses_tensor_cores(&self, width: usize) -> bool {
        let mixed = self.problem.precision == Precision::Bf16Mixed;
        mixed && self.element() == Element::F32 && width <= mma::MOST_WIDTH
    }

    /// The work list for blocks of so many rows, and the number of its items.
    fn work<M: CudaMachine<Array = A>>(&self, machine: &M, of: Of, rows: usize) -> (A, usize) {
        let items = items(self.problem, of, rows);
        (machine.upload(&items), items.len() / ITEM)
    }
}

/// `(output [N, H, D], log_sum_exp [N, H])`.
pub(crate) fn forward<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
) -> (M::Array, M::Array) {
    let sizes = inputs.sizes();
    let output = machine.array(inputs.element(), inputs.q.len());
    let log_sum_exp = machine.array(inputs.element(), inputs.queries() * sizes.query_heads);
    if inputs.is_empty() {
        return (output, log_sum_exp);
    }
    if inputs.uses_tensor_cores(sizes.width) {
        mma::forward(machine, inputs, sizes, [&output, &log_sum_exp]);
    } else {
        plain::forward(machine, inputs, sizes, [&output, &log_sum_exp]);
    }
    (output, log_sum_exp)
}

/// Gradients of q, k and v.
pub(crate) fn backward<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
    known: &Known<'_, M::Array>,
) -> [M::Array; 3] {
    let sizes = inputs.sizes();
    let gradients = [inputs.q, inputs.k, inputs.v].map(|x| machine.array(x.element(), x.len()));
    if inputs.is_empty() {
        return gradients;
    }
    let to = gradients.each_ref();
    if inputs.uses_tensor_cores(sizes.width) {
        mma::backward(machine, inputs, sizes, known, to);
    } else {
        plain::backward(machine, inputs, sizes, known, to);
    }
    gradients
}
