//! Dropout on CUDA: each thread draws the words of its own elements.

use super::DropoutMask;
use crate::machine::cuda::elementwise::map;
use crate::machine::cuda::launch::Number;
use crate::machine::cuda::{Machine, Source};

static SOURCE: Source = Source::of("families/dropout/dropout.cu", include_str!("dropout.cu"));

/// `x` times the mask.
pub(crate) fn forward<M: Machine>(machine: &M, x: &M::Array, mask: &DropoutMask) -> M::Array {
    let numbers = [
        Number::U64(mask.key),
        Number::U64(mask.index),
        Number::U32(mask.threshold()),
        Number::Real(mask.scale()),
    ];
    let [y] = map(machine, (&SOURCE, "dropout"), [x], &numbers);
    y
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
