//! Cost of a step: memory bound.

use crate::Work;

/// First moment 3, second 4, denominator 3, update 4; reads four buffers, writes three.
pub fn step(parameters: usize, element_bytes: usize) -> Work {
    let p = parameters as f64;
    Work::new(14.0 * p, 7.0 * p, element_bytes)
}

/// As [`step`] with coupled decay 2 instead of decoupled 1 and the maximum 1; reads five buffers,
/// writes four.
pub fn amsgrad(parameters: usize, element_bytes: usize) -> Work {
    let p = parameters as f64;
    Work::new(16.0 * p, 9.0 * p, element_bytes)
}
