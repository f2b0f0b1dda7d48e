//! Row lookup and its gradient in Burn operations.

use burn::tensor::backend::Backend;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use crate::shape::assert_ids;

/// Rows of `weight` at `ids`.
///
/// # Panics
/// When an id is not a row of `weight`.
pub fn forward<B: Backend>(weight: Tensor<B, 2>, ids: Tensor<B, 1, Int>) -> Tensor<B, 2> {
    let [rows, _] = weight.dims();
    assert_ids("embedding", "ids", &host_ids(&ids), rows, "the table");
    weight.select(0, ids)
}

/// Gradient of the table, `[num_rows, C]`.
pub fn backward<B: Backend>(
    grad: Tensor<B, 2>,
    ids: Tensor<B, 1, Int>,
    num_rows: usize,
) -> Tensor<B, 2> {
    let [_, width] = grad.dims();
    let zeros = Tensor::zeros([num_rows, width], (&grad.device(), grad.dtype()));
    zeros.select_assign(0, ids, grad, IndexingUpdateOp::Add)
}

/// The ids on the host.
pub(crate) fn host_ids<B: Backend>(ids: &Tensor<B, 1, Int>) -> Vec<i64> {
    ids.to_data().iter::<i64>().collect()
}
