//! Normalisation of each row: `LayerNorm` or `RMSNorm`.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::Kernels;
use genesis_kernels::norm;

use crate::params::Params;

/// Scale, optional shift, and the constant that keeps the division finite.
#[derive(Debug, Clone)]
pub(crate) struct Norm<B: Backend> {
    weight: Tensor<B, 1>,
    /// Present in `LayerNorm`, absent in `RMSNorm`.
    bias: Option<Tensor<B, 1>>,
    epsilon: f64,
}

impl<B: Kernels> Norm<B> {
    /// `LayerNorm` of the parameters `module.weight` and `module.bias`.
    pub(crate) fn layer(params: &Params<B>, module: &str, epsilon: f64) -> Self {
        let bias = Some(params.get(&format!("{module}.bias")));
        Self { bias, ..Self::rms(params, module, epsilon) }
    }

    /// `RMSNorm` of the parameter `module.weight`.
    pub(crate) fn rms(params: &Params<B>, module: &str, epsilon: f64) -> Self {
        Self { weight: params.get(&format!("{module}.weight")), bias: None, epsilon }
    }

    /// `[N, C]` to `[N, C]`.
    pub(crate) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.bias {
            Some(bias) => norm::layer_norm(x, self.weight.clone(), bias.clone(), self.epsilon),
            None => norm::rms_norm(x, self.weight.clone(), self.epsilon),
        }
    }
}
