//! Both forms of GELU on CUDA, one launch each way.

use super::GeluKind;
use crate::machine::cuda::elementwise::map;
use crate::machine::cuda::{Machine, Source};

static SOURCE: Source = Source::of("families/gelu/gelu.cu", include_str!("gelu.cu"));

/// Elementwise value.
pub(crate) fn forward<M: Machine>(machine: &M, x: &M::Array, kind: GeluKind) -> M::Array {
    let entry = match kind {
        GeluKind::Erf => "gelu_erf",
        GeluKind::Tanh => "gelu_tanh",
    };
    let [y] = map(machine, (&SOURCE, entry), [x], &[]);
    y
}

/// Gradient of x, from `[grad, x]`.
pub(crate) fn backward<M: Machine>(
    machine: &M,
    inputs: [&M::Array; 2],
    kind: GeluKind,
) -> M::Array {
    let entry = match kind {
        GeluKind::Erf => "gelu_erf_backward",
        GeluKind::Tanh => "gelu_tanh_backward",
    };
    let [dx] = map(machine, (&SOURCE, entry), inputs, &[]);
    dx
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
