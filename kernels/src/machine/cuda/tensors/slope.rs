//! Dot products and multiples of rows.

use burn::tensor::Tensor;

use crate::Cuda;
use crate::families::slope;
use crate::machine::cuda::device::on;

/// [`dot_rows`](fn@crate::families::slope::dot_rows).
pub(crate) fn dot(a: Tensor<Cuda, 2>, b: Tensor<Cuda, 2>) -> Tensor<Cuda, 2> {
    let [rows, width] = a.dims();
    on(&a.device(), |machine| {
        let [a, b] = [a, b].map(|x| machine.input(x));
        machine.tensor(slope::cuda::dot(machine, [&a, &b], [rows, width]), [rows, 1])
    })
}

/// [`scale_rows`](fn@crate::families::slope::scale_rows).
pub(crate) fn scale(scales: Tensor<Cuda, 2>, a: Tensor<Cuda, 2>) -> Tensor<Cuda, 2> {
    let [rows, width] = a.dims();
    on(&a.device(), |machine| {
        let [scales, a] = [scales, a].map(|x| machine.input(x));
        machine.tensor(slope::cuda::scale(machine, [&scales, &a], width), [rows, width])
    })
}
