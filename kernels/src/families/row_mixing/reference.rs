//! The map and its gradient in Burn operations, with the whole matrix.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::RowMixing;

/// `[S, K, C]` to `[S', T, C]`.
pub fn forward<B: Backend>(weights: &Tensor<B, 3>, mixing: &RowMixing) -> Tensor<B, 3> {
    let channels = weights.dims()[2];
    let [t, k] = [mixing.matrix.num_rows(), mixing.matrix.num_columns()];
    let matrix = dense(mixing, weights);
    let table = |&table: &usize| {
        let rows = weights.clone().slice([table..table + 1, 0..k, 0..channels]);
        matrix.clone().matmul(rows.reshape([k, channels])).reshape([1, t, channels])
    };
    let tables: Vec<_> = mixing.tables.iter().map(table).collect();
    if tables.is_empty() {
        return Tensor::zeros([0, t, channels], (&weights.device(), weights.dtype()));
    }
    Tensor::cat(tables, 0)
}

/// The gradient of the tables.
pub fn backward<B: Backend>(grad: &Tensor<B, 3>, mixing: &RowMixing) -> Tensor<B, 3> {
    let channels = grad.dims()[2];
    let [t, k] = [mixing.matrix.num_rows(), mixing.matrix.num_columns()];
    let matrix = dense(mixing, grad).transpose();
    let table = |table: usize| {
        let Some(at) = mixing.tables.iter().position(|&wanted| wanted == table) else {
            return Tensor::zeros([1, k, channels], (&grad.device(), grad.dtype()));
        };
        let rows = grad.clone().slice([at..at + 1, 0..t, 0..channels]).reshape([t, channels]);
        matrix.clone().matmul(rows).reshape([1, k, channels])
    };
    Tensor::cat((0..mixing.num_tables).map(table).collect(), 0)
}

fn dense<B: Backend>(mixing: &RowMixing, like: &Tensor<B, 3>) -> Tensor<B, 2> {
    let shape = [mixing.matrix.num_rows(), mixing.matrix.num_columns()];
    let mut values = vec![0.0; shape[0] * shape[1]];
    for (t, row) in mixing.matrix.rows.iter().enumerate() {
        for &(k, value) in row {
            values[t * shape[1] + k as usize] = value;
        }
    }
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}
