//! What an edge's length becomes: radial functions, and the weights of its messages.
//!
//! ```text
//! network   x <- c silu(x W / sqrt(fan_in)), last layer without silu; no biases
//! layout    lengths [P, 1], features [P, num_bessel], weights [P, Q, C]
//! rows      P <= E: an edge and its reverse have one length and share their row
//! source    Batatia et al., arXiv:2206.07697
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{Kernels, Precision, WeightLayout};

use super::{
    activation::SILU_SCALE,
    config::MaceConfig,
    covalent_radii::covalent_radius,
    graph::{GraphInput, constant},
    radial_basis::{Curve, bessel_functions, envelope},
    specs::Names,
};
use crate::params::Params;

/// Lengths and what follows from them alone.
#[derive(Debug, Clone)]
pub(super) struct RadialFeatures<B: Backend> {
    /// `[P, 1]` Å, in the graph of the edge vectors.
    lengths: Tensor<B, 2>,
    /// `[P, num_bessel]`, not in that graph.
    features: Curve<B>,
    /// `[P, 1]` where the cut-off multiplies the weights instead of the features.
    late_cutoff: Option<Curve<B>>,
}

impl<B: Kernels> RadialFeatures<B> {
    /// Of edges with these lengths, `[E, 1]`.
    pub(super) fn new(config: &MaceConfig, graph: &GraphInput<B>, lengths: Tensor<B, 2>) -> Self {
        let pairs = &graph.layout.pairs;
        let lengths = <B as Kernels>::gather_rows(lengths, pairs);
        // Only the uppermost graph loses them: one below still differentiates the slopes.
        let r = lengths.clone().detach();
        let radius_sums = || {
            let elements = pairs.rows().iter().map(|&e| graph.layout.edge_elements[e as usize]);
            let sums: Vec<f64> =
                elements.map(|pair| pair.map(covalent_radius).iter().sum()).collect();
            constant(sums, r.dims(), r.dtype().into(), &r.device())
        };
        let (basis, cutoff) = (bessel_functions(config, &r, radius_sums), envelope(config, &r));
        if config.cutoff_on_basis {
            Self { lengths, features: basis.times(&cutoff), late_cutoff: None }
        } else {
            Self { lengths, features: basis, late_cutoff: Some(cutoff) }
        }
    }

    /// The features in the graph of the lengths.
    pub(super) fn features(&self) -> Tensor<B, 2> {
        self.follow(&self.features)
    }

    /// The same of the cut-off, where it is late.
    pub(super) fn late_cutoff(&self) -> Option<Tensor<B, 2>> {
        self.late_cutoff.as_ref().map(|cutoff| self.follow(cutoff))
    }

    fn follow(&self, curve: &Curve<B>) -> Tensor<B, 2> {
        let Curve { value, slope } = curve.clone();
        <B as Kernels>::follow(self.lengths.clone(), value, slope)
    }
}

/// The network from features to the weights of the paths.
#[derive(Debug, Clone)]
pub(super) struct RadialNetwork<B: Backend> {
    /// With all factors folded in.
    weights: Vec<Tensor<B, 2>>,
    channels: usize,
}

impl<B: Kernels> RadialNetwork<B> {
    pub(super) fn bind(config: &MaceConfig, params: &Params<B>, layer: usize) -> Self {
        let weight = |depth: usize| {
            let weight: Tensor<B, 2> = params.get(&Names::radial(layer, depth));
            let [fan_in, _] = weight.dims();
            let gain = if depth == 0 { 1.0 } else { SILU_SCALE };
            weight.mul_scalar(gain / (fan_in as f64).sqrt())
        };
        let weights = (0..=config.radial_widths.len()).map(weight).collect();
        Self { weights, channels: config.channels }
    }

    /// `[P, Q, C]`
    ///
    /// Values and slopes go through the network side by side, so that a differentiation by the
    /// lengths is a dot product with the slopes and never comes back through here.
    pub(super) fn forward(&self, radial: &RadialFeatures<B>) -> Tensor<B, 3> {
        let Curve { mut value, mut slope } = radial.features.clone();
        for (depth, weight) in self.weights.iter().enumerate() {
            if depth > 0 {
                slope = <B as Kernels>::silu_slope(slope, value.clone());
                value = <B as Kernels>::silu(value);
            }
            slope = matrix_product(slope, weight.clone());
            value = matrix_product(value, weight.clone());
        }
        let mut weights = Curve { value, slope };
        if let Some(cutoff) = &radial.late_cutoff {
            weights = weights.times(cutoff);
        }
        let weights = radial.follow(&weights);
        let [num_rows, width] = weights.dims();
        weights.reshape([num_rows, width / self.channels, self.channels])
    }
}

/// `x W`, `[R, I] x [I, O]`.
pub(super) fn matrix_product<B: Kernels>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    <B as Kernels>::linear(x, weight, None, WeightLayout::InOut, Precision::Full)
}
