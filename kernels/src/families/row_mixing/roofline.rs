//! Cost of the mixing: a multiply-add an entry, table and channel.

use super::RowMixing;
use crate::Work;

/// Reads the wanted tables and writes the results; the gradient the other way round.
pub fn form(mixing: &RowMixing, channels: usize, element_bytes: usize) -> Work {
    let tables = mixing.tables.len() as f64;
    let rows = (mixing.matrix.num_rows() + mixing.matrix.num_columns()) as f64;
    let flops = 2.0 * mixing.matrix.num_entries() as f64 * tables * channels as f64;
    Work::new(flops, rows * tables * channels as f64, element_bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MixingMatrix;
    use super::*;

    #[test]
    fn only_entries_that_are_not_zero_count() {
        let matrix = Arc::new(MixingMatrix::new(&[1.0, 0.0, 2.0, 0.0, 3.0, 0.0], 3));
        let mixing = RowMixing { matrix, tables: [0, 2].into(), num_tables: 3 };
        let work = form(&mixing, 4, 8);
        assert!((work.flops - 2.0 * 3.0 * 2.0 * 4.0).abs() < 1e-12);
        assert!((work.bytes - 5.0 * 2.0 * 4.0 * 8.0).abs() < 1e-12);
    }
}
