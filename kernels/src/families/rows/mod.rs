//! Rows by number, and sums of rows by number: from atoms to edges, from edges to atoms, from
//! atoms to structures.
//!
//! ```text
//! maths     gather_rows  y[e, :] = x[r[e], :]
//!           sum_rows     y[n, :] = sum over e with r[e] = n of x[e, :]
//!           each is the adjoint of the other, so each is the backward of the other
//! layout    gather: x [N, K], y [E, K]; sum: x [E, K], y [N, K]; r [E] (`RowIndex`)
//! dtypes    f32 or f64
//! ordering  the sum of a row runs in the order of e, for any number of threads
//! empty     a row that no e names sums to 0; E = 0 and N = 0 are valid
//! ```

pub(crate) mod cases;
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::memo::Memo;
use crate::shape::assert_shape;

/// The row of every item, with the items of every row listed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowIndex {
    rows: Arc<[u32]>,
    starts: Arc<[u32]>,
    items: Arc<[u32]>,
    memo: Memo,
}

impl RowIndex {
    /// Item `e` names row `indices[e]` of `num_rows`.
    ///
    /// # Panics
    /// When an index is not below `num_rows`, or there are 2^32 items: a bug of the caller.
    pub fn new(indices: &[u32], num_rows: usize) -> Self {
        let num_items = u32::try_from(indices.len()).expect("fewer than 2^32 items");
        let mut starts = vec![0u32; num_rows + 1];
        for (item, &row) in indices.iter().enumerate() {
            assert!(
                (row as usize) < num_rows,
                "RowIndex: item {item} names row {row} but there are {num_rows} rows"
            );
            starts[row as usize + 1] += 1;
        }
        for row in 0..num_rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut items = vec![0u32; indices.len()];
        for (item, &row) in (0..num_items).zip(indices) {
            items[next[row as usize] as usize] = item;
            next[row as usize] += 1;
        }
        let (rows, starts, items) = (indices.into(), starts.into(), items.into());
        Self { rows, starts, items, memo: Memo::default() }
    }

    /// `E`, the number of items.
    pub fn num_items(&self) -> usize {
        self.rows.len()
    }

    /// `N`, the number of rows.
    pub fn num_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// `[E]` the row of every item.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// `[N + 1]` where the items of each row start in [`items`](Self::items).
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// `[E]` the items sorted by row, then by number.
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// What devices keep of the index.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub(crate) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// The items of `row`, ascending.
    pub fn items_of(&self, row: usize) -> &[u32] {
        &self.items[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

kernels! {
    pub trait RowsKernels: Backend {
        fn gather_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
            reference::gather(x, indices)
        }
        fn sum_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
            reference::sum(x, indices)
        }
    }
    cpu {
        gather_rows: cpu::gather,
        sum_rows: cpu::sum,
    }
    gpu {
        gather_rows: gpu::gather_rows,
        sum_rows: gpu::sum_rows,
    }
    autodiff {
        gather_rows: op::gather_tracked,
        sum_rows: op::sum_tracked,
    }
}

/// Rows of `x [N, K]` at the index, `[E, K]`.
pub fn gather_rows<B: RowsKernels>(x: Tensor<B, 2>, indices: &RowIndex) -> Tensor<B, 2> {
    let [rows, _] = x.dims();
    assert_shape("gather_rows", "x", [rows], [indices.num_rows()], "the index has N rows");
    <B as RowsKernels>::gather_rows(CHECKED, x, indices)
}

/// Rows of `x [E, K]` summed by the index, `[N, K]`.
pub fn sum_rows<B: RowsKernels>(x: Tensor<B, 2>, indices: &RowIndex) -> Tensor<B, 2> {
    let [items, _] = x.dims();
    assert_shape("sum_rows", "x", [items], [indices.num_items()], "the index has E items");
    <B as RowsKernels>::sum_rows(CHECKED, x, indices)
}
