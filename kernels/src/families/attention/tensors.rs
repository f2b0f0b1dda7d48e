//! Attention on tensors of CUDA: they become arrays, and the results tensors.

use burn::tensor::Tensor;

use super::cuda;
use crate::machine::Tensors;
use crate::machine::cuda::device::on;
use crate::{AttentionProblem, Cuda};

/// [`attention`](fn@crate::families::attention::attention).
pub(crate) fn forward(
    q: Tensor<Cuda, 3>,
    k: Tensor<Cuda, 3>,
    v: Tensor<Cuda, 3>,
    problem: &AttentionProblem,
) -> (Tensor<Cuda, 3>, Tensor<Cuda, 2>) {
    let (query_shape, key_shape) = (q.dims(), k.dims());
    on(&q.device(), |machine| {
        let [q, k, v] = [q, k, v].map(|x| machine.input(x));
        let inputs = cuda::Inputs { q: &q, k: &k, v: &v, query_shape, key_shape, problem };
        let (output, log_sum_exp) = cuda::forward(machine, &inputs);
        let [rows, heads, _] = query_shape;
        (machine.tensor(output, query_shape), machine.tensor(log_sum_exp, [rows, heads]))
    })
}

/// [`attention_backward`](fn@crate::families::attention::attention_backward).
pub(crate) fn backward(
    grad: Tensor<Cuda, 3>,
    q: Tensor<Cuda, 3>,
    k: Tensor<Cuda, 3>,
    v: Tensor<Cuda, 3>,
    output: Tensor<Cuda, 3>,
    log_sum_exp: Tensor<Cuda, 2>,
    problem: &AttentionProblem,
) -> (Tensor<Cuda, 3>, Tensor<Cuda, 3>, Tensor<Cuda, 3>) {
    let (query_shape, key_shape) = (q.dims(), k.dims());
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
