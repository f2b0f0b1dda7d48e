//! Cost of the rotation, forward or backward: memory bound.

use crate::Work;

/// Three operations an element; reads x and the two half tables, writes y.
pub fn forward(tokens: usize, heads: usize, width: usize, element_bytes: usize) -> Work {
    let e = (tokens * heads * width) as f64;
    Work::new(3.0 * e, 2.0 * e + (tokens * width) as f64, element_bytes)
}
