//! Both forms of GELU and their derivatives in Burn operations.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{CUBE, GeluKind, ROOT_TWO_OVER_PI};

/// Elementwise value.
pub fn forward<B: Backend>(x: Tensor<B, 2>, kind: GeluKind) -> Tensor<B, 2> {
    let gate = match kind {
        GeluKind::Erf => x.clone().mul_scalar(FRAC_1_SQRT_2).erf(),
        GeluKind::Tanh => tanh_argument(x.clone()).tanh(),
    };
    gate.add_scalar(1.0).mul_scalar(0.5).mul(x)
}

/// Gradient of `x`.
pub fn backward<B: Backend>(grad: Tensor<B, 2>, x: Tensor<B, 2>, kind: GeluKind) -> Tensor<B, 2> {
    let slope = match kind {
        GeluKind::Erf => erf_slope(x),
        GeluKind::Tanh => tanh_slope(x),
    };
    grad.mul(slope)
}

/// `Phi(x) + x phi(x)`, the normal distribution function and density.
fn erf_slope<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let distribution = x.clone().mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5);
    let bell = x.clone().mul(x.clone()).mul_scalar(-0.5).exp();
    distribution.add(bell.mul(x).mul_scalar(0.5 * ROOT_TWO_OVER_PI))
}

fn tanh_slope<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let t = tanh_argument(x.clone()).tanh();
    let inner = x.clone().mul(x.clone()).mul_scalar(3.0 * CUBE).add_scalar(1.0);
    let rise = t.clone().mul(t.clone()).neg().add_scalar(1.0);
    let curved = rise.mul(inner).mul(x).mul_scalar(0.5 * ROOT_TWO_OVER_PI);
    t.add_scalar(1.0).mul_scalar(0.5).add(curved)
}

fn tanh_argument<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let cubic = x.clone().mul(x.clone()).mul_scalar(CUBE).add_scalar(1.0);
    cubic.mul(x).mul_scalar(ROOT_TWO_OVER_PI)
}
