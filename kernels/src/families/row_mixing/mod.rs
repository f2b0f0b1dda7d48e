//! Rows of tables mixed by one fixed sparse matrix: what turns a few weights into the coefficients of
//! many monomials.
//!
//! ```text
//! letters   S tables of K rows and C columns, of which S' are wanted, p(s) the number of one; T rows
//!           of a result; M [T, K] fixed
//! maths     y[s, t, c] = sum over k of M[t, k] w[p(s), k, c]
//! gradient  dw[p(s), k, c] = sum over t of M[t, k] g[s, t, c], zero in tables that are not wanted;
//!           its own gradient is the map again
//! layout    w [S, K, C]; y, g [S', T, C]
//! dtypes    f32 or f64; M in f64, rounded as it multiplies
//! ordering  sums over k and over t ascending: the same bits for any number of threads
//! empty     S' = 0 and rows without entries are valid
//! source    its use: Batatia et al., "MACE", arXiv:2206.07697, eq. 10
//! ```

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

/// An entry of the matrix that is not zero: the other axis' number, and the value.
type Entry = (u32, f64);

/// The matrix `M`.
#[derive(Debug, Clone, PartialEq)]
pub struct MixingMatrix {
    /// `[T]` entries by k.
    rows: Vec<Vec<Entry>>,
    /// `[K]` the same by t.
    columns: Vec<Vec<Entry>>,
}

impl MixingMatrix {
    /// Of rows of `num_columns` numbers each, T of them; zeros are left out.
    ///
    /// # Panics
    /// When the numbers are not whole rows: a bug of the caller.
    pub fn new(dense: &[f64], num_columns: usize) -> Self {
        assert!(
            num_columns > 0 && dense.len().is_multiple_of(num_columns),
            "MixingMatrix: {} numbers are not rows of {num_columns}",
            dense.len()
        );
        let mut columns = vec![Vec::new(); num_columns];
        let mut rows = Vec::with_capacity(dense.len() / num_columns);
        for (t, dense) in (0u32..).zip(dense.chunks_exact(num_columns)) {
            let entries = (0u32..).zip(dense).filter(|(_, value)| **value != 0.0);
            let row: Vec<Entry> = entries.map(|(k, &value)| (k, value)).collect();
            for &(k, value) in &row {
                columns[k as usize].push((t, value));
            }
            rows.push(row);
        }
        Self { rows, columns }
    }

    /// Blocks along the diagonal, zero elsewhere.
    pub fn block_diagonal(blocks: &[Self]) -> Self {
        let (mut rows, mut columns) = (Vec::new(), Vec::new());
        for block in blocks {
            let [t, k] = [rows.len(), columns.len()]
                .map(|at| u32::try_from(at).expect("fewer than 2^32 rows and columns"));
            let moved = |entries: &Vec<Entry>, by: u32| {
                entries.iter().map(|&(at, value)| (at + by, value)).collect::<Vec<_>>()
            };
            rows.extend(block.rows.iter().map(|row| moved(row, k)));
            columns.extend(block.columns.iter().map(|column| moved(column, t)));
        }
        Self { rows, columns }
    }

    /// `T`
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    /// `K`
    pub fn num_columns(&self) -> usize {
        self.columns.len()
    }

    /// Entries that are not zero.
    pub fn num_entries(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }
}

/// Which matrix, and which tables are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMixing {
    /// `M`
    pub matrix: Arc<MixingMatrix>,
    /// `[S']` numbers of the wanted tables, each once.
    pub tables: Arc<[usize]>,
    /// `S`
    pub num_tables: usize,
}

impl RowMixing {
    /// Asserts the shape of the tables.
    fn check(&self, operation: &str, weights: [usize; 3]) {
        let want = [self.num_tables, self.matrix.num_columns(), weights[2]];
        assert_shape(operation, "weights", weights, want, "the mixing fixes S and K");
        self.check_tables(operation);
    }

    /// Asserts the shape of the gradient.
    fn check_gradient(&self, operation: &str, grad: [usize; 3]) {
        let want = [self.tables.len(), self.matrix.num_rows(), grad[2]];
        assert_shape(operation, "grad", grad, want, "the mixing fixes S' and T");
        self.check_tables(operation);
    }

    fn check_tables(&self, operation: &str) {
        let mut seen = vec![false; self.num_tables];
        for &table in self.tables.iter() {
            let first = seen.get_mut(table).is_some_and(|seen| !std::mem::replace(seen, true));
            assert!(
                first,
                "{operation}: table {table} of {} is wanted twice or not there",
                self.num_tables
            );
        }
    }
}

kernels! {
    pub trait RowMixingKernels: Backend {
        fn mix_rows(weights: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
            reference::forward(&weights, mixing)
        }
        fn mix_rows_backward(grad: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
            reference::backward(&grad, mixing)
        }
    }
    cpu {
        mix_rows: cpu::forward,
        mix_rows_backward: cpu::backward,
    }
    cuda {}
    wgpu {}
    autodiff {
        mix_rows: op::tracked,
        mix_rows_backward: op::backward_tracked,
    }
}

/// `[S, K, C] -> [S', T, C]`.
pub fn mix_rows<B: RowMixingKernels>(weights: Tensor<B, 3>, mixing: &RowMixing) -> Tensor<B, 3> {
    mixing.check("mix_rows", weights.dims());
    <B as RowMixingKernels>::mix_rows(CHECKED, weights, mixing)
}

/// Gradient of the tables.
pub fn mix_rows_backward<B: RowMixingKernels>(
    grad: Tensor<B, 3>,
    mixing: &RowMixing,
) -> Tensor<B, 3> {
    mixing.check_gradient("mix_rows_backward", grad.dims());
    <B as RowMixingKernels>::mix_rows_backward(CHECKED, grad, mixing)
}
