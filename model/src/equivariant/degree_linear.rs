//! Linear maps between channels, one matrix per degree and the same for its `2 l + 1` components.
//!
//! ```text
//! maths    y[n, m, w] = 1/sqrt(I_l) sum_u x[n, m, u] W_l[u, w]
//! layout   x: blocks [N, (2 l + 1) P_l, C], that is I_l = P_l C inputs for each m; y [N, (2 l + 1), C]
//!          weights flat, W_l row-major [I_l, C], l ascending
//! source   o3.Linear of e3nn; the order of weights is its own
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{ChannelLinear, DegreeMap, Kernels, channel_linear};

/// The map of one layer.
#[derive(Debug, Clone)]
pub(super) struct DegreeLinear<B: Backend> {
    weights: Tensor<B, 1>,
    map: ChannelLinear,
}

impl<B: Kernels> DegreeLinear<B> {
    /// Of `weights` with one matrix per degree with `copies[l]` blocks of `channels` inputs; `gain`
    /// multiplies all.
    pub(super) fn bind(
        weights: Tensor<B, 1>,
        copies: &[usize],
        channels: usize,
        gain: f64,
    ) -> Self {
        let degree = |&copies: &usize| {
            let factor = gain / ((copies * channels) as f64).sqrt();
            DegreeMap { copies, factor }
        };
        let degrees = copies.iter().map(degree).collect();
        Self { weights, map: ChannelLinear { degrees, channels, species: None } }
    }

    /// `[N, sum of (2 l + 1) P_l, C]` to `[N, sum of 2 l + 1, C]`.
    pub(super) fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        channel_linear::channel_linear(x, self.weights.clone(), &self.map)
    }
}
