//! Norms of rows on tensors of CUDA: they become arrays, and the results tensors.

use burn::tensor::Tensor;

use super::cuda;
use crate::Cuda;
use crate::machine::Tensors;
use crate::machine::cuda::device::on;

/// [`rms_norm`](fn@crate::families::norm::rms_norm).
pub(crate) fn rms_norm(
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    epsilon: f64,
) -> Tensor<Cuda, 2> {
    forward(x, weight, None, epsilon)
}

/// [`layer_norm`](fn@crate::families::norm::layer_norm).
pub(crate) fn layer_norm(
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    bias: Tensor<Cuda, 1>,
    epsilon: f64,
) -> Tensor<Cuda, 2> {
    forward(x, weight, Some(bias), epsilon)
}

/// [`rms_norm_backward`](fn@crate::families::norm::rms_norm_backward).
pub(crate) fn rms_norm_backward(
    grad: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    epsilon: f64,
) -> (Tensor<Cuda, 2>, Tensor<Cuda, 1>) {
    let of = rows_of(&x, epsilon);
    on(&x.device(), |machine| {
        let (grad, x, weight) = (machine.input(grad), machine.input(x), machine.input(weight));
        let (dx, dweight) = cuda::rms_norm_backward(machine, [&grad, &x, &weight], of);
        (machine.tensor(dx, [of.count, of.width]), machine.tensor(dweight, [of.width]))
    })
}

/// [`layer_norm_backward`](fn@crate::families::norm::layer_norm_backward).
pub(crate) fn layer_norm_backward(
    grad: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    epsilon: f64,
) -> (Tensor<Cuda, 2>, Tensor<Cuda, 1>, Tensor<Cuda, 1>) {
    let of = rows_of(&x, epsilon);
    on(&x.device(), |machine| {
        let (grad, x, weight) = (machine.input(grad), machine.input(x), machine.input(weight));
        let (dx, dweight, dbias) = cuda::layer_norm_backward(machine, [&grad, &x, &weight], of);
        let vector = |array| machine.tensor(array, [of.width]);
        (machine.tensor(dx, [of.count, of.width]), vector(dweight), vector(dbias))
    })
}

fn rows_of(x: &Tensor<Cuda, 2>, epsilon: f64) -> cuda::Rows {
    let [count, width] = x.dims();
    cuda::Rows { count, width, epsilon }
}

fn forward(
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    bias: Option<Tensor<Cuda, 1>>,
    epsilon: f64,
) -> Tensor<Cuda, 2> {
    let of = rows_of(&x, epsilon);
    on(&x.device(), |machine| {
        let (x, weight) = (machine.input(x), machine.input(weight));
        let bias = bias.map(|bias| machine.input(bias));
        let y = cuda::forward(machine, &x, &weight, bias.as_ref(), of);
        machine.tensor(y, [of.count, of.width])
    })
}
