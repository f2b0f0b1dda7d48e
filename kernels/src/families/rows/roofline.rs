//! Cost of moving rows: memory bound.

use crate::Work;

/// Reads E rows and E numbers of 4 bytes, writes E rows.
pub fn gather(items: usize, width: usize, element_bytes: usize) -> Work {
    let e = (items * width) as f64;
    Work::new(0.0, 2.0 * e, element_bytes) + Work::new(0.0, items as f64, 4)
}

/// One addition an element; reads E rows and E numbers, writes N rows.
pub fn sum(items: usize, width: usize, num_rows: usize, element_bytes: usize) -> Work {
    let e = (items * width) as f64;
    Work::new(e, e + (num_rows * width) as f64, element_bytes) + Work::new(0.0, items as f64, 4)
}
