//! Linear maps between channels, one matrix per degree and the same for its `2 l + 1` components.
//!
//! ```text
//! maths    y[n, m, w] = 1/sqrt(I_l) sum_u x[n, m, u] W_l[u, w]
//! layout   x: blocks [N, (2 l + 1) P_l, C], that is I_l = P_l C inputs for each m; y [N, (2 l + 1), C]
//!          weights flat, W_l row-major [I_l, C], l ascending
//! source   o3.Linear of e3nn; the order of weights is its own
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::Kernels;

use super::radial::matrix_product;

/// The map, its factors folded into the weights.
#[derive(Debug, Clone)]
pub(super) struct DegreeLinear<B: Backend> {
    /// `[l]` of `[P_l C, C]`.
    weights: Vec<Tensor<B, 2>>,
}

impl<B: Kernels> DegreeLinear<B> {
    /// Cuts `flat` into one matrix per degree with `copies[l]` blocks of `channels` inputs;
    /// `gain` multiplies all.
    pub(super) fn bind(flat: &Tensor<B, 1>, copies: &[usize], channels: usize, gain: f64) -> Self {
        let mut start = 0;
        let mut cut = |&copies: &usize| {
            let inputs = copies * channels;
            let end = start + inputs * channels;
            let weight = flat.clone().slice(start..end).reshape([inputs, channels]);
            start = end;
            weight.mul_scalar(gain / (inputs as f64).sqrt())
        };
        let weights = copies.iter().map(&mut cut).collect();
        Self { weights }
    }

    /// `[N, sum of (2 l + 1) P_l, C]` to `[N, sum of 2 l + 1, C]`.
    pub(super) fn forward(&self, x: &Tensor<B, 3>) -> Tensor<B, 3> {
        let [num_atoms, _, channels] = x.dims();
        let mut start = 0;
        let mut blocks = Vec::with_capacity(self.weights.len());
        for (l, weight) in self.weights.iter().enumerate() {
            let [inputs, _] = weight.dims();
            let (components, end) = (2 * l + 1, start + (2 * l + 1) * inputs / channels);
            let rows = x.clone().slice([0..num_atoms, start..end]);
            let rows = rows.reshape([num_atoms * components, inputs]);
            let block = matrix_product(rows, weight.clone());
            blocks.push(block.reshape([num_atoms, components, channels]));
            start = end;
        }
        join(blocks)
    }
}

/// Blocks of degrees side by side along the components.
pub(super) fn join<B: Kernels>(mut blocks: Vec<Tensor<B, 3>>) -> Tensor<B, 3> {
    if blocks.len() == 1 { blocks.remove(0) } else { Tensor::cat(blocks, 1) }
}
