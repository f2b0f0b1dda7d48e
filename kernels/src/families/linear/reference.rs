//! Linear map and its gradients in Burn operations.

use burn::tensor::Tensor;

use super::WeightLayout;
use crate::Precision;
use crate::families::precision::PrecisionKernels;

/// `[N, I] -> [N, O]`; the contract is in the module above.
pub fn forward<B: PrecisionKernels>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    let x = precision.operand(x);
    let weight = precision.operand(weight);
    let y = match layout {
        WeightLayout::OutIn => x.matmul(weight.transpose()),
        WeightLayout::InOut => x.matmul(weight),
    };
    match bias {
        Some(bias) => y.add(bias.unsqueeze()),
        None => y,
    }
}

/// The same added to `residual [N, O]`.
pub fn residual<B: PrecisionKernels>(
    residual: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    residual.add(forward(x, weight, bias, layout, precision))
}

/// Gradient of the input, `[N, I]`.
pub fn input_backward<B: PrecisionKernels>(
    grad: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    let grad = precision.operand(grad);
    let weight = precision.operand(weight);
    match layout {
        WeightLayout::OutIn => grad.matmul(weight),
        WeightLayout::InOut => grad.matmul(weight.transpose()),
    }
}

/// Gradient of the weight, in the layout of the weight.
pub fn weight_backward<B: PrecisionKernels>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<B, 2> {
    let grad = precision.operand(grad);
    let x = precision.operand(x);
    match layout {
        WeightLayout::OutIn => grad.transpose().matmul(x),
        WeightLayout::InOut => x.transpose().matmul(grad),
    }
}
