//! Rows and sums of rows in Burn operations.

use burn::tensor::backend::Backend;
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

use super::RowIndex;

/// `y[e, :] = x[r[e], :]`.
pub fn gather<B: Backend>(x: Tensor<B, 2>, indices: &RowIndex) -> Tensor<B, 2> {
    let [_, width] = x.dims();
    if indices.num_items() == 0 {
        return Tensor::zeros([0, width], (&x.device(), x.dtype()));
    }
    let rows = numbers(indices.rows(), &x.device());
    x.select(0, rows)
}

/// `y[n, :] = sum over e with r[e] = n of x[e, :]`.
pub fn sum<B: Backend>(x: Tensor<B, 2>, indices: &RowIndex) -> Tensor<B, 2> {
    let [items, width] = x.dims();
    let zeros = Tensor::zeros([indices.num_rows(), width], (&x.device(), x.dtype()));
    if items == 0 {
        return zeros;
    }
    let rows = numbers(indices.rows(), &x.device());
    zeros.select_assign(0, rows, x, IndexingUpdateOp::Add)
}

/// Row numbers as a tensor.
pub(crate) fn numbers<B: Backend>(rows: &[u32], device: &B::Device) -> Tensor<B, 1, Int> {
    let rows: Vec<i64> = rows.iter().map(|&row| i64::from(row)).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
