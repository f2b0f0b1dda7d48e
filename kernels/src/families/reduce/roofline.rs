//! Cost of the sum of squares: memory bound.

use crate::Work;

/// A square and an addition an element; reads x.
pub fn sum_of_squares(elements: usize, element_bytes: usize) -> Work {
    let e = elements as f64;
    Work::new(2.0 * e, e, element_bytes)
}
