//! Cost of a step: memory bound.

use crate::Work;

/// First moment 3, second 4, denominator 3, update 4; reads four buffers, writes three.
pub fn step(parameters: usize, element_bytes: usize) -> Work {
    let p = parameters as f64;
    Work::new(14.0 * p, 7.0 * p, element_bytes)
}
