//! Cost of the functions: arithmetic bound, an elementary function counted as one operation.

use crate::Work;

/// A sine and a cosine a row, whose multiples follow by six operations each, and nine more for value and
/// slope; some twenty for the cut-off. Reads P lengths, writes two tables.
pub fn forward(rows: usize, num: usize, element_bytes: usize) -> Work {
    let (rows, num) = (rows as f64, num as f64);
    Work::new(rows * (15.0 * num + 22.0), rows * (1.0 + 2.0 * num), element_bytes)
}
