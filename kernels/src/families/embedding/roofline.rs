//! Cost of the lookup: memory bound.

use crate::Work;

/// Reads N rows and N ids of 4 bytes, writes N rows.
pub fn forward(tokens: usize, width: usize, element_bytes: usize) -> Work {
    let e = (tokens * width) as f64;
    Work::new(0.0, 2.0 * e, element_bytes) + Work::new(0.0, tokens as f64, 4)
}

/// One addition an element; reads N rows and ids, writes the table.
pub fn backward(tokens: usize, width: usize, num_rows: usize, element_bytes: usize) -> Work {
    let e = (tokens * width) as f64;
    Work::new(e, e + (num_rows * width) as f64, element_bytes) + Work::new(0.0, tokens as f64, 4)
}
