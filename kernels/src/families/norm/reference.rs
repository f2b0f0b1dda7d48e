//! RMS and layer normalisation and their gradients in Burn operations.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `y = w x / sqrt(mean(x^2) + eps)`.
pub fn rms_norm<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 1>, epsilon: f64) -> Tensor<B, 2> {
    let reciprocal = reciprocal_root(mean_square(&x), epsilon);
    x.mul(reciprocal).mul(weight.unsqueeze())
}

/// Gradients of `x` and `weight`.
pub fn rms_norm_backward<B: Backend>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 2>, Tensor<B, 1>) {
    let reciprocal = reciprocal_root(mean_square(&x), epsilon);
    let normal = x.mul(reciprocal.clone());
    let weight_grad = column_sum(grad.clone().mul(normal.clone()));
    let scaled = grad.mul(weight.unsqueeze());
    let along = scaled.clone().mul(normal.clone()).mean_dim(1);
    (scaled.sub(normal.mul(along)).mul(reciprocal), weight_grad)
}

/// `y = w (x - mean(x)) / sqrt(var(x) + eps) + b`, with the biased variance.
pub fn layer_norm<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, 2> {
    let (normal, _) = standardise(x, epsilon);
    normal.mul(weight.unsqueeze()).add(bias.unsqueeze())
}

/// Gradients of `x`, `weight` and `bias`.
pub fn layer_norm_backward<B: Backend>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 2>, Tensor<B, 1>, Tensor<B, 1>) {
    let (normal, reciprocal) = standardise(x, epsilon);
    let weight_grad = column_sum(grad.clone().mul(normal.clone()));
    let bias_grad = column_sum(grad.clone());
    let scaled = grad.mul(weight.unsqueeze());
    let mean = scaled.clone().mean_dim(1);
    let along = scaled.clone().mul(normal.clone()).mean_dim(1);
    let input = scaled.sub(mean).sub(normal.mul(along)).mul(reciprocal);
    (input, weight_grad, bias_grad)
}

/// `((x - m) r, r)`.
fn standardise<B: Backend>(x: Tensor<B, 2>, epsilon: f64) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let mean = x.clone().mean_dim(1);
    let centred = x.sub(mean);
    let reciprocal = reciprocal_root(mean_square(&centred), epsilon);
    (centred.mul(reciprocal.clone()), reciprocal)
}

fn mean_square<B: Backend>(x: &Tensor<B, 2>) -> Tensor<B, 2> {
    x.clone().mul(x.clone()).mean_dim(1)
}

fn reciprocal_root<B: Backend>(x: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    x.add_scalar(epsilon).sqrt().recip()
}

fn column_sum<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 1> {
    x.sum_dim(0).squeeze_dim(0)
}
