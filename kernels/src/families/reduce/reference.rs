//! Sum of squares in Burn operations.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::ROW;

/// `sum_p x[p]^2`, `[1]`; zero for an empty buffer.
pub fn sum_of_squares<B: Backend>(x: Tensor<B, 1>) -> Tensor<B, 1> {
    let squares = x.clone().mul(x);
    let partial = sum_rows(squares);
    partial.sum()
}

/// Sums of consecutive rows, until fewer than [`ROW`] numbers remain.
fn sum_rows<B: Backend>(mut x: Tensor<B, 1>) -> Tensor<B, 1> {
    while x.dims()[0] > ROW {
        let [length] = x.dims();
        let whole = length / ROW;
        let rows = x.clone().narrow(0, 0, whole * ROW).reshape([whole, ROW]);
        let sums = rows.sum_dim(1).reshape([whole]);
        let rest = length - whole * ROW;
        x = if rest == 0 {
            sums
        } else {
            Tensor::cat(vec![sums, x.narrow(0, whole * ROW, rest).sum()], 0)
        };
    }
    x
}
