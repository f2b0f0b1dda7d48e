//! The gated activation on CUDA, one launch each way.

use crate::machine::cuda::elementwise::map;
use crate::machine::cuda::{Machine, Source};

static SOURCE: Source = Source::of("families/swiglu/swiglu.cu", include_str!("swiglu.cu"));

/// `silu(gate) up`.
pub(crate) fn forward<M: Machine>(machine: &M, gate: &M::Array, up: &M::Array) -> M::Array {
    let [y] = map(machine, (&SOURCE, "swiglu"), [gate, up], &[]);
    y
}

/// Gradients of gate and up, from `[grad, gate, up]`.
pub(crate) fn backward<M: Machine>(machine: &M, inputs: [&M::Array; 3]) -> [M::Array; 2] {
    map(machine, (&SOURCE, "swiglu_backward"), inputs, &[])
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
