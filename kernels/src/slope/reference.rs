//! Values that follow a number, dot products and multiples of rows in Burn operations.

use burn::tensor::Tensor;

use crate::Kernels;
use crate::shape::assert_shape;

/// The values; their dependence on `x` is what the graph above knows.
pub fn follow<B: Kernels>(
    x: &Tensor<B, 2>,
    values: Tensor<B, 2>,
    slopes: &Tensor<B, 2>,
) -> Tensor<B, 2> {
    assert_shape("follow", "slopes", slopes.dims(), values.dims(), "`values` has that shape");
    assert_shape("follow", "x", x.dims(), [values.dims()[0], 1], "`values` has P rows");
    values
}

/// `sum_k a[p, k] b[p, k]`, `[P, 1]`.
pub fn dot<B: Kernels>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("dot_rows", "b", b.dims(), a.dims(), "`a` has that shape");
    a.mul(b).sum_dim(1)
}

/// `s[p] a[p, k]`.
pub fn scale<B: Kernels>(scales: Tensor<B, 2>, a: Tensor<B, 2>) -> Tensor<B, 2> {
    assert_shape("scale_rows", "scales", scales.dims(), [a.dims()[0], 1], "`a` has P rows");
    scales.mul(a)
}
