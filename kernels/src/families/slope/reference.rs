//! Values that follow a number, dot products and multiples of rows in Burn operations.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::Half;

/// The values; their dependence on `x` is what the graph above knows.
pub fn follow<B: Backend>(
    _x: &Tensor<B, 2>,
    values: Tensor<B, 2>,
    _slopes: &Tensor<B, 2>,
) -> Tensor<B, 2> {
    values
}

/// `sum_k a[p, k] b[p, k]`, `[P, 1]`.
pub fn dot<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    a.mul(b).sum_dim(1)
}

/// `s[p] a[p, k]`.
pub fn scale<B: Backend>(scales: Tensor<B, 2>, a: Tensor<B, 2>) -> Tensor<B, 2> {
    scales.mul(a)
}

/// One half of `[2, P, K]`.
pub fn half<B: Backend>(curve: &Tensor<B, 3>, half: Half) -> Tensor<B, 2> {
    let [_, rows, width] = curve.dims();
    let at = half.index();
    if rows * width == 0 {
        // Burn's reshape takes a 0 for `as before`.
        return Tensor::zeros([rows, width], (&curve.device(), curve.dtype()));
    }
    curve.clone().slice([at..at + 1, 0..rows, 0..width]).squeeze_dim(0)
}

/// `[2, P, K]` with this half, the other zero.
pub fn from_half<B: Backend>(x: Tensor<B, 2>, half: Half) -> Tensor<B, 3> {
    let [rows, width] = x.dims();
    if rows * width == 0 {
        return Tensor::zeros([2, rows, width], (&x.device(), x.dtype()));
    }
    let zero = x.zeros_like();
    let halves = match half {
        Half::Values => vec![x, zero],
        Half::Slopes => vec![zero, x],
    };
    Tensor::stack(halves, 0)
}
