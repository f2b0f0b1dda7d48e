//! Lookups in a table of rows on tensors of CUDA: they become arrays, and the results tensors.

use burn::tensor::{Int, Tensor};

use super::cuda;
use crate::Cuda;
use crate::machine::Tensors;
use crate::machine::cuda::device::on;

/// [`embedding`](fn@crate::families::embedding::embedding).
pub(crate) fn forward(weight: Tensor<Cuda, 2>, ids: Tensor<Cuda, 1, Int>) -> Tensor<Cuda, 2> {
    let ([rows, width], [tokens]) = (weight.dims(), ids.dims());
    on(&weight.device(), |machine| {
        let (weight, ids) = (machine.input(weight), machine.input_int(ids));
        let y = cuda::forward(machine, &weight, &ids, [rows, width]);
        machine.tensor(y, [tokens, width])
    })
}

/// [`embedding_backward`](fn@crate::families::embedding::embedding_backward).
pub(crate) fn backward(
    grad: Tensor<Cuda, 2>,
    ids: Tensor<Cuda, 1, Int>,
    num_rows: usize,
) -> Tensor<Cuda, 2> {
    let [_, width] = grad.dims();
    on(&grad.device(), |machine| {
        let (grad, ids) = (machine.input(grad), machine.input_int(ids));
        let table = cuda::backward(machine, &grad, &ids, [num_rows, width]);
        machine.tensor(table, [num_rows, width])
    })
}
