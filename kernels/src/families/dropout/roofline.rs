//! Cost of dropout, forward or backward: memory bound if the generator keeps up.

use crate::Work;

/// One product an element; the generator's integer work (10 rounds) is not counted as flops.
pub fn forward(elements: usize, element_bytes: usize) -> Work {
    let e = elements as f64;
    Work::new(e, 2.0 * e, element_bytes)
}
