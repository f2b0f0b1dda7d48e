//! `silu(gate) * up` and its gradients in Burn operations.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;

/// `silu(gate) * up`.
pub fn forward<B: Backend>(gate: Tensor<B, 2>, up: Tensor<B, 2>) -> Tensor<B, 2> {
    sigmoid(gate.clone()).mul(gate).mul(up)
}

/// Gradients of `gate` and `up`.
pub fn backward<B: Backend>(
    grad: Tensor<B, 2>,
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let logistic = sigmoid(gate.clone());
    let silu = logistic.clone().mul(gate.clone());
    let falling = logistic.clone().neg().add_scalar(1.0);
    let slope = falling.mul(gate).add_scalar(1.0).mul(logistic);
    (slope.mul(up).mul(grad.clone()), silu.mul(grad))
}
