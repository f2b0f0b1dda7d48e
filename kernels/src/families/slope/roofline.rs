//! Cost of dot products and multiples of rows: memory bound.

use crate::Work;

/// Two operations an element; reads a and b, writes P sums.
pub fn dot(rows: usize, width: usize, element_bytes: usize) -> Work {
    let e = (rows * width) as f64;
    Work::new(2.0 * e, 2.0 * e + rows as f64, element_bytes)
}

/// One product an element; reads a and P factors, writes y.
pub fn scale(rows: usize, width: usize, element_bytes: usize) -> Work {
    let e = (rows * width) as f64;
    Work::new(e, 2.0 * e + rows as f64, element_bytes)
}
