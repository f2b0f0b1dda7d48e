//! A product as cuBLASLt sees it: column-major, so that our `out = a b` is its `out^T = b^T a^T`.
//!
//! A matrix stored by rows is, column-major, its transpose; hence our right operand comes first, and an
//! operand that we take transposed is one that it takes as it lies. Not here: calls of the library.

use crate::machine::cuda::array::DeviceArray;
use crate::machine::cuda::product::{Compute, Matrices, Product};
use crate::machine::{Array, Element};

/// Bytes to which the memory of an array is aligned, at least (`array.rs`).
const ARRAY_ALIGNMENT: usize = 256;

/// A batch of column-major matrices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Layout {
    /// Rows as they lie.
    pub(super) rows: usize,
    /// Columns as they lie.
    pub(super) columns: usize,
    /// Elements from column to column.
    pub(super) stride: usize,
    /// Elements from matrix to matrix.
    pub(super) batch_stride: usize,
    /// Is it taken transposed?
    pub(super) transposed: bool,
    /// Bytes before the first element.
    pub(super) offset_bytes: usize,
    /// The largest power of two, up to that of arrays, that divides the address of every matrix.
    pub(super) alignment: usize,
}

/// What decides the algorithm and its parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Problem {
    /// Type of both operands: f32, f64 or bf16.
    pub(super) operands: ElementKey,
    /// Our `b`.
    pub(super) first: Layout,
    /// Our `a`.
    pub(super) second: Layout,
    /// Our `out`.
    pub(super) out: Layout,
    pub(super) batch: usize,
    pub(super) has_bias: bool,
    pub(super) accumulates: bool,
    pub(super) is_tf32: bool,
}

/// The element types of operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum ElementKey {
    F32,
    F64,
    Bf16,
}

impl Problem {
    /// The problem of a product that was checked.
    pub(super) fn of(product: &Product<'_, DeviceArray>) -> Self {
        let operands = match product.a.array.element() {
            Element::F64 => ElementKey::F64,
            Element::Bf16 => ElementKey::Bf16,
            _ => ElementKey::F32,
        };
        let of = |matrices: &Matrices<'_, DeviceArray>| {
            layout(matrices, matrices.array.element().bytes(), product.batch)
        };
        Self {
            operands,
            first: of(&product.b),
            second: of(&product.a),
            out: of(&product.out),
            batch: product.batch,
            has_bias: product.bias.is_some(),
            accumulates: product.accumulate || product.onto.is_some(),
            is_tf32: product.compute == Compute::Tf32,
        }
    }
}

/// What a view of rows is column-major.
fn layout<A>(matrices: &Matrices<'_, A>, element_bytes: usize, batch: usize) -> Layout {
    // Stored rows are columns; a transposed view stores its columns as rows.
    let (rows, columns) = if matrices.transposed {
        (matrices.rows, matrices.columns)
    } else {
        (matrices.columns, matrices.rows)
    };
    let offset_bytes = matrices.offset * element_bytes;
    let batch_bytes = if batch > 1 { matrices.batch_stride * element_bytes } else { 0 };
    let bits = ARRAY_ALIGNMENT | offset_bytes | batch_bytes;
    Layout {
        rows,
        columns,
        stride: matrices.stride.max(1),
        batch_stride: matrices.batch_stride,
        transposed: matrices.transposed,
        offset_bytes,
        alignment: 1 << bits.trailing_zeros(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sizes: [usize; 2]) -> Matrices<'static, ()> {
        Matrices::of(&(), sizes)
    }

    #[test]
    fn a_row_major_matrix_is_its_transpose_by_columns() {
        let plain = layout(&view([5, 3]), 4, 1);
        let size = (plain.rows, plain.columns, plain.stride, plain.transposed);
        assert_eq!(size, (3, 5, 3, false));
        let turned = layout(&view([5, 3]).transpose(), 4, 1);
        let size = (turned.rows, turned.columns, turned.stride, turned.transposed);
        assert_eq!(size, (3, 5, 3, true));
    }

    #[test]
    fn the_alignment_is_that_of_the_least_aligned_matrix() {
        let of = |first, batch, batch_stride| {
            let rows = Matrices { batch_stride, ..view([9, 6]).rows_from(first, 2) };
            layout(&rows, 4, batch).alignment
        };
        assert_eq!(of(0, 1, 7), 256);
        assert_eq!(of(1, 1, 7), 8, "24 bytes in");
        assert_eq!(of(4, 1, 7), 32, "96 bytes in");
        assert_eq!(of(0, 2, 7), 4, "28 bytes from matrix to matrix");
        assert_eq!(of(0, 2, 0), 256, "one matrix for all");
    }
}
