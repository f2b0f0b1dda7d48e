//! Cost of the gated activation: memory bound; an exponential counts one.

use crate::Work;

/// Logistic (3), two products; reads gate and up, writes y.
pub fn forward(elements: usize, element_bytes: usize) -> Work {
    let e = elements as f64;
    Work::new(5.0 * e, 3.0 * e, element_bytes)
}

/// Logistic (3), silu (1), slope (4), three products; reads g, gate, up, writes two gradients.
pub fn backward(elements: usize, element_bytes: usize) -> Work {
    let e = elements as f64;
    Work::new(11.0 * e, 5.0 * e, element_bytes)
}
