//! SiLU and its derivatives on CUDA, one launch each.

use crate::machine::cuda::elementwise::map;
use crate::machine::cuda::{Machine, Source};

static SOURCE: Source = Source::of("families/silu/silu.cu", include_str!("silu.cu"));

/// `x s(x)`.
pub(crate) fn forward<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    let [y] = map(machine, (&SOURCE, "silu"), [x], &[]);
    y
}

/// `y'(x) a`, from `[a, x]`.
pub(crate) fn slope<M: Machine>(machine: &M, inputs: [&M::Array; 2]) -> M::Array {
    let [y] = map(machine, (&SOURCE, "silu_slope"), inputs, &[]);
    y
}

/// `y''(x) a b`, from `[a, b, x]`.
pub(crate) fn bend<M: Machine>(machine: &M, inputs: [&M::Array; 3]) -> M::Array {
    let [y] = map(machine, (&SOURCE, "silu_bend"), inputs, &[]);
    y
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
