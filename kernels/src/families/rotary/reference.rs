//! Rotation of halves in Burn operations. The gradient is the same function with `-sin`.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `[N, H, D] -> [N, H, D]`.
pub fn forward<B: Backend>(x: Tensor<B, 3>, cos: Tensor<B, 2>, sin: Tensor<B, 2>) -> Tensor<B, 3> {
    let half = x.dims()[2] / 2;
    let cos = cos.unsqueeze_dim::<3>(1);
    let sin = sin.unsqueeze_dim::<3>(1);
    let first = x.clone().narrow(2, 0, half);
    let second = x.narrow(2, half, half);
    let turned = first.clone().mul(cos.clone()).sub(second.clone().mul(sin.clone()));
    Tensor::cat(vec![turned, second.mul(cos).add(first.mul(sin))], 2)
}
