//! Norms of rows.

use burn::tensor::Tensor;

use crate::Cuda;
use crate::families::norm::cuda;
use crate::machine::cuda::device::on;
use crate::shape::assert_shape;

/// [`Kernels::rms_norm`](crate::Kernels::rms_norm).
pub(crate) fn rms_norm(
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    epsilon: f64,
) -> Tensor<Cuda, 2> {
    forward("rms_norm", x, weight, None, epsilon)
}

/// [`Kernels::layer_norm`](crate::Kernels::layer_norm).
pub(crate) fn layer_norm(
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    bias: Tensor<Cuda, 1>,
    epsilon: f64,
) -> Tensor<Cuda, 2> {
    forward("layer_norm", x, weight, Some(bias), epsilon)
}

/// [`Kernels::rms_norm_backward`](crate::Kernels::rms_norm_backward).
pub(crate) fn rms_norm_backward(
    grad: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    epsilon: f64,
) -> (Tensor<Cuda, 2>, Tensor<Cuda, 1>) {
    let of = rows_of("rms_norm_backward", &x, &weight, epsilon);
    assert_shape("rms_norm_backward", "grad", grad.dims(), x.dims(), "as `x`");
    on(&x.device(), |machine| {
        let (grad, x, weight) = (machine.input(grad), machine.input(x), machine.input(weight));
        let (dx, dweight) = cuda::rms_norm_backward(machine, [&grad, &x, &weight], of);
        (machine.tensor(dx, [of.count, of.width]), machine.tensor(dweight, [of.width]))
    })
}

/// [`Kernels::layer_norm_backward`](crate::Kernels::layer_norm_backward).
pub(crate) fn layer_norm_backward(
    grad: Tensor<Cuda, 2>,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    epsilon: f64,
) -> (Tensor<Cuda, 2>, Tensor<Cuda, 1>, Tensor<Cuda, 1>) {
    let of = rows_of("layer_norm_backward", &x, &weight, epsilon);
    assert_shape("layer_norm_backward", "grad", grad.dims(), x.dims(), "as `x`");
    on(&x.device(), |machine| {
        let (grad, x, weight) = (machine.input(grad), machine.input(x), machine.input(weight));
        let (dx, dweight, dbias) = cuda::layer_norm_backward(machine, [&grad, &x, &weight], of);
        let vector = |array| machine.tensor(array, [of.width]);
        (machine.tensor(dx, [of.count, of.width]), vector(dweight), vector(dbias))
    })
}

fn rows_of(
    operation: &str,
    x: &Tensor<Cuda, 2>,
    weight: &Tensor<Cuda, 1>,
    epsilon: f64,
) -> cuda::Rows {
    let [rows, width] = x.dims();
    assert_shape(operation, "weight", weight.dims(), [width], "`x` fixes C");
    cuda::Rows { count: rows, width, epsilon }
}

fn forward(
    operation: &str,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    bias: Option<Tensor<Cuda, 1>>,
    epsilon: f64,
) -> Tensor<Cuda, 2> {
    let of = rows_of(operation, &x, &weight, epsilon);
    if let Some(bias) = &bias {
        assert_shape(operation, "bias", bias.dims(), [of.width], "`x` fixes C");
    }
    on(&x.device(), |machine| {
        let (x, weight) = (machine.input(x), machine.input(weight));
        let bias = bias.map(|bias| machine.input(bias));
        let y = cuda::forward(machine, &x, &weight, bias.as_ref(), of);
        machine.tensor(y, [of.count, of.width])
    })
}
