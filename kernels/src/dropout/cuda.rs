//! Dropout on CUDA: each thread draws the words of its own elements.

use super::DropoutMask;
use crate::cuda::elementwise::map;
use crate::cuda::launch::Number;
use crate::cuda::{Machine, Source};

static SOURCE: Source = Source::of("dropout/dropout.cu", include_str!("dropout.cu"));

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
