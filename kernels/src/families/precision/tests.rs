//! Values are compared where there are kernels; those of `linear` are products of rounded numbers.

use crate::families::refusals_tests::{Refusal, any_shape};

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    vec![any_shape("round_to_bf16")]
}
