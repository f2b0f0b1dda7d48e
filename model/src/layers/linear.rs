//! `y = x W (+ b)` in either layout of the weight.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{Kernels, Precision, WeightLayout, linear};

use crate::params::Params;

/// A projection with the weight as its file stores it.
#[derive(Debug, Clone)]
pub(crate) struct Linear<B: Backend> {
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    layout: WeightLayout,
}

impl<B: Kernels> Linear<B> {
    /// The parameters `module.weight` and, where the network has it, `module.bias`.
    pub(crate) fn bind(params: &Params<B>, module: &str, layout: WeightLayout) -> Self {
        let bias = format!("{module}.bias");
        Self {
            weight: params.get(&format!("{module}.weight")),
            bias: params.contains(&bias).then(|| params.get(&bias)),
            layout,
        }
    }

    /// Of `weight [I, O]`, without bias.
    pub(crate) fn of(weight: Tensor<B, 2>) -> Self {
        Self { weight, bias: None, layout: WeightLayout::InOut }
    }

    /// `[N, I]` to `[N, O]`.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, precision: Precision) -> Tensor<B, 2> {
        linear::linear(x, self.weight.clone(), self.bias.clone(), self.layout, precision)
    }

    /// The same added to `residual [N, O]`.
    pub(crate) fn forward_onto(
        &self,
        residual: Tensor<B, 2>,
        x: Tensor<B, 2>,
        precision: Precision,
    ) -> Tensor<B, 2> {
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        linear::linear_residual(residual, x, weight, bias, self.layout, precision)
    }
}
