//! Cost of SiLU: memory bound; an exponential counts one.

use crate::Work;

/// Logistic (3), one product; reads x, writes y.
pub fn forward(elements: usize, element_bytes: usize) -> Work {
    let e = elements as f64;
    Work::new(4.0 * e, 2.0 * e, element_bytes)
}

/// Logistic (3), slope (4), one product; reads a and x, writes the result.
pub fn slope(elements: usize, element_bytes: usize) -> Work {
    let e = elements as f64;
    Work::new(8.0 * e, 3.0 * e, element_bytes)
}

/// Logistic (3), bend (6), two products; reads a, b and x, writes the result.
pub fn bend(elements: usize, element_bytes: usize) -> Work {
    let e = elements as f64;
    Work::new(11.0 * e, 4.0 * e, element_bytes)
}
