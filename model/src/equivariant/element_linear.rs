//! Linear maps between channels whose matrix depends on the element of the atom.
//!
//! ```text
//! maths    y[n, m, w] = 1/sqrt(C S) sum_u x[n, m, u] W_l[u, z_n, w]
//! layout   x [N, M, C], y [N, M', C] with M' <= M: degrees without a matrix are left out
//!          weights flat, W_l row-major [C, S, C], l ascending
//! source   FullyConnectedTensorProduct of e3nn with one-hot elements: its factor counts all S
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{ChannelLinear, DegreeMap, Kernels, channel_linear};

use super::graph::GraphLayout;

/// The map of one layer.
#[derive(Debug, Clone)]
pub(super) struct ElementLinear<B: Backend> {
    weights: Tensor<B, 1>,
    degrees: std::sync::Arc<[DegreeMap]>,
    channels: usize,
}

impl<B: Kernels> ElementLinear<B> {
    /// Of `weights` with matrices of `num_degrees` degrees and `s` elements.
    pub(super) fn bind(
        weights: Tensor<B, 1>,
        num_degrees: usize,
        s: usize,
        channels: usize,
    ) -> Self {
        let factor = 1.0 / ((channels * s) as f64).sqrt();
        let degrees = vec![DegreeMap { copies: 1, factor }; num_degrees].into();
        Self { weights, degrees, channels }
    }

    /// `[N, M, C]` to `[N, (degrees)^2, C]`.
    pub(super) fn forward(&self, x: Tensor<B, 3>, layout: &GraphLayout) -> Tensor<B, 3> {
        let map = ChannelLinear {
            degrees: self.degrees.clone(),
            channels: self.channels,
            species: Some(layout.species.places.clone()),
        };
        channel_linear::channel_linear(x, self.weights.clone(), &map)
    }
}
