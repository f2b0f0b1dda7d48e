//! Lookups in a table of rows.

use burn::tensor::{Int, Tensor};

use crate::Cuda;
use crate::families::embedding;
use crate::machine::cuda::device::on;
use crate::shape::assert_shape;

/// [`Kernels::embedding`](crate::Kernels::embedding).
pub(crate) fn forward(weight: Tensor<Cuda, 2>, ids: Tensor<Cuda, 1, Int>) -> Tensor<Cuda, 2> {
    let ([rows, width], [tokens]) = (weight.dims(), ids.dims());
    on(&weight.device(), |machine| {
        let (weight, ids) = (machine.input(weight), machine.input_int(ids));
        let y = embedding::cuda::forward(machine, &weight, &ids, [rows, width]);
        machine.tensor(y, [tokens, width])
    })
}

/// [`Kernels::embedding_backward`](crate::Kernels::embedding_backward).
pub(crate) fn backward(
    grad: Tensor<Cuda, 2>,
    ids: Tensor<Cuda, 1, Int>,
    num_rows: usize,
) -> Tensor<Cuda, 2> {
    let [tokens, width] = grad.dims();
    assert_shape("embedding_backward", "ids", ids.dims(), [tokens], "`grad` fixes N");
    on(&grad.device(), |machine| {
        let (grad, ids) = (machine.input(grad), machine.input_int(ids));
        let table = embedding::cuda::backward(machine, &grad, &ids, [num_rows, width]);
        machine.tensor(table, [num_rows, width])
    })
}
