//! SiLU and its derivatives in Burn operations.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::Kernels;
use crate::shape::assert_shape;

/// `x s(x)`.
pub fn forward<B: Kernels>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    sigmoid(x.clone()).mul(x)
}

/// `y'(x) a`.
pub fn slope<B: Kernels>(along: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("silu_slope", "along", along.dims(), x.dims(), "`x` has that shape");
    let logistic = sigmoid(x.clone());
    let falling = logistic.clone().neg().add_scalar(1.0);
    falling.mul(x).add_scalar(1.0).mul(logistic).mul(along)
}

/// `y''(x) a b`.
pub fn bend<B: Kernels>(a: Tensor<B, 2>, b: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("silu_bend", "a", a.dims(), x.dims(), "`x` has that shape");
    assert_shape("silu_bend", "b", b.dims(), x.dims(), "`x` has that shape");
    let logistic = sigmoid(x.clone());
    let falling = logistic.clone().neg().add_scalar(1.0);
    let turning = falling.clone().sub(logistic.clone()).mul(x).add_scalar(2.0);
    turning.mul(falling).mul(logistic).mul(a).mul(b)
}
