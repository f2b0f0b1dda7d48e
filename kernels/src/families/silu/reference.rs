//! SiLU and its derivatives in Burn operations.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;

/// `x s(x)`.
pub fn forward<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    sigmoid(x.clone()).mul(x)
}

/// `y'(x) a`.
pub fn slope<B: Backend>(along: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let logistic = sigmoid(x.clone());
    let falling = logistic.clone().neg().add_scalar(1.0);
    falling.mul(x).add_scalar(1.0).mul(logistic).mul(along)
}

/// `y''(x) a b`.
pub fn bend<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let logistic = sigmoid(x.clone());
    let falling = logistic.clone().neg().add_scalar(1.0);
    let turning = falling.clone().sub(logistic.clone()).mul(x).add_scalar(2.0);
    turning.mul(falling).mul(logistic).mul(a).mul(b)
}
