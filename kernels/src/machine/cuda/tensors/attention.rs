//! Attention.

use burn::tensor::Tensor;

use crate::families::attention::cuda;
use crate::machine::cuda::device::on;
use crate::shape::assert_shape;
use crate::{AttentionProblem, Cuda};

/// [`Kernels::attention`](crate::Kernels::attention).
pub(crate) fn forward(
    q: Tensor<Cuda, 3>,
    k: Tensor<Cuda, 3>,
    v: Tensor<Cuda, 3>,
    problem: &AttentionProblem,
) -> (Tensor<Cuda, 3>, Tensor<Cuda, 2>) {
    let (query_shape, key_shape) = shapes(&q, &k, &v);
    on(&q.device(), |machine| {
        let [q, k, v] = [q, k, v].map(|x| machine.input(x));
        let inputs = cuda::Inputs { q: &q, k: &k, v: &v, query_shape, key_shape, problem };
        let (output, log_sum_exp) = cuda::forward(machine, &inputs);
        let [rows, heads, _] = query_shape;
        (machine.tensor(output, query_shape), machine.tensor(log_sum_exp, [rows, heads]))
    })
}

/// [`Kernels::attention_backward`](crate::Kernels::attention_backward).
pub(crate) fn backward(
    grad: Tensor<Cuda, 3>,
    q: Tensor<Cuda, 3>,
    k: Tensor<Cuda, 3>,
    v: Tensor<Cuda, 3>,
    output: Tensor<Cuda, 3>,
    log_sum_exp: Tensor<Cuda, 2>,
    problem: &AttentionProblem,
) -> (Tensor<Cuda, 3>, Tensor<Cuda, 3>, Tensor<Cuda, 3>) {
    let (query_shape, key_shape) = shapes(&q, &k, &v);
    let [rows, heads, _] = query_shape;
    let operation = "attention_backward";
    assert_shape(operation, "grad", grad.dims(), query_shape, "as `q`");
    assert_shape(operation, "output", output.dims(), query_shape, "as `q`");
    assert_shape(operation, "log_sum_exp", log_sum_exp.dims(), [rows, heads], "[N, H]");
    on(&q.device(), |machine| {
        let [grad, q, k, v, output] = [grad, q, k, v, output].map(|x| machine.input(x));
        let log_sum_exp = machine.input(log_sum_exp);
        let inputs = cuda::Inputs { q: &q, k: &k, v: &v, query_shape, key_shape, problem };
        let known = cuda::Known { grad: &grad, output: &output, log_sum_exp: &log_sum_exp };
        let [dq, dk, dv] = cuda::backward(machine, &inputs, &known);
        let of_keys = |array| machine.tensor(array, key_shape);
        (machine.tensor(dq, query_shape), of_keys(dk), of_keys(dv))
    })
}

fn shapes(
    q: &Tensor<Cuda, 3>,
    k: &Tensor<Cuda, 3>,
    v: &Tensor<Cuda, 3>,
) -> ([usize; 3], [usize; 3]) {
    assert_shape("attention", "v", v.dims(), k.dims(), "`k` has that shape");
    (q.dims(), k.dims())
}
