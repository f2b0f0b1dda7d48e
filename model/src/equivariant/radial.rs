//! What an edge's length becomes: radial functions, and the weights of its messages.
//!
//! ```text
//! network   x <- c silu(x W / sqrt(fan_in)), last layer without silu; no biases
//! layout    lengths [P, 1], features [P, num_bessel], weights [P, Q, C]
//! rows      P <= E: an edge and its reverse have one length and share their row
//! source    Batatia et al., arXiv:2206.07697
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{
    Half, Kernels, Precision, RadialBasis, SiluNetwork, radial_basis, rows, silu_network, slope,
};

use super::{
    activation::SILU_SCALE,
    choices::DistanceTransform,
    config::MaceConfig,
    covalent_radii::covalent_radius,
    graph::{GraphInput, constant},
    radial_basis::{Curve, bessel_functions, cutoff},
    specs::Names,
};
use crate::{layers::linear::Linear, params::Params};

/// Lengths and what follows from them alone.
#[derive(Debug, Clone)]
pub(super) struct RadialFeatures<B: Backend> {
    /// `[P, 1]` Å, in the graph of the edge vectors.
    lengths: Tensor<B, 2>,
    /// Values and slopes, `[2, P, num_bessel]`, not in that graph.
    features: Tensor<B, 3>,
    /// `[P, 1]` where the cut-off multiplies the weights instead of the features.
    late_cutoff: Option<Curve<B>>,
}

impl<B: Kernels> RadialFeatures<B> {
    /// Of edges with these lengths, `[E, 1]`.
    pub(super) fn new(config: &MaceConfig, graph: &GraphInput<B>, lengths: Tensor<B, 2>) -> Self {
        let pairs = &graph.layout.pairs;
        let lengths = rows::gather_rows(lengths, pairs);
        // Only the uppermost graph loses them: one below still differentiates the slopes.
        let r = lengths.clone().detach();
        if config.distance_transform == DistanceTransform::None && config.cutoff_on_basis {
            let basis = RadialBasis {
                num: config.num_bessel,
                radius: config.r_max_angstrom,
                power: config.cutoff_power,
            };
            return Self {
                lengths,
                features: radial_basis::radial_basis(r, &basis),
                late_cutoff: None,
            };
        }
        let radius_sums = || {
            let elements = pairs.rows().iter().map(|&e| graph.layout.edge_elements[e as usize]);
            let sums: Vec<f64> =
                elements.map(|pair| pair.map(covalent_radius).iter().sum()).collect();
            constant(sums, r.dims(), r.dtype().into(), &r.device())
        };
        let (basis, cutoff) = (bessel_functions(config, &r, radius_sums), cutoff(config, &r));
        let (features, late_cutoff) = if config.cutoff_on_basis {
            (basis.times(&cutoff), None)
        } else {
            (basis, Some(cutoff))
        };
        Self { lengths, features: features.joined(), late_cutoff }
    }

    /// The features in the graph of the lengths.
    pub(super) fn features(&self) -> Tensor<B, 2> {
        let half = |half| slope::half(self.features.clone(), half);
        self.follow(&Curve { value: half(Half::Values), slope: half(Half::Slopes) })
    }

    /// The same of the cut-off, where it is late.
    pub(super) fn late_cutoff(&self) -> Option<Tensor<B, 2>> {
        self.late_cutoff.as_ref().map(|cutoff| self.follow(cutoff))
    }

    fn follow(&self, curve: &Curve<B>) -> Tensor<B, 2> {
        let Curve { value, slope } = curve.clone();
        slope::follow(self.lengths.clone(), value, slope)
    }
}

/// The network from features to the weights of the paths.
#[derive(Debug, Clone)]
pub(super) struct RadialNetwork<B: Backend> {
    hidden: SiluNetwork,
    /// Of the hidden layers, flat.
    weights: Tensor<B, 1>,
    /// Of the last layer, with its factor.
    last: Linear<B>,
    channels: usize,
}

impl<B: Kernels> RadialNetwork<B> {
    pub(super) fn bind(config: &MaceConfig, params: &Params<B>, layer: usize) -> Self {
        let depth = config.radial_widths.len();
        let weight = |at: usize| params.get::<2>(&Names::radial(layer, at));
        let factor = |at: usize, fan_in: usize| {
            let gain = if at == 0 { 1.0 } else { SILU_SCALE };
            gain / (fan_in as f64).sqrt()
        };
        let mut widths = vec![config.num_bessel];
        widths.extend(&config.radial_widths);
        let factors = (0..depth).map(|at| factor(at, widths[at])).collect();
        let flat = (0..depth).map(|at| params.flat(&Names::radial(layer, at))).collect();
        let last = Linear::of(weight(depth).mul_scalar(factor(depth, widths[depth])));
        let (hidden, weights) = (SiluNetwork::new(widths, factors), Tensor::cat(flat, 0));
        Self { hidden, weights, last, channels: config.channels }
    }

    /// `[P, Q, C]`
    ///
    /// Values and slopes go through the network side by side, so that a differentiation by the
    /// lengths is a dot product with the slopes and never comes back through here.
    pub(super) fn forward(&self, radial: &RadialFeatures<B>) -> Tensor<B, 3> {
        let curve = radial.features.clone();
        let curve = silu_network::silu_network(curve, self.weights.clone(), &self.hidden);
        let half = |half| self.last.forward(slope::half(curve.clone(), half), Precision::Full);
        let mut weights = Curve { value: half(Half::Values), slope: half(Half::Slopes) };
        if let Some(cutoff) = &radial.late_cutoff {
            weights = weights.times(cutoff);
        }
        let weights = radial.follow(&weights);
        let [num_rows, width] = weights.dims();
        weights.reshape([num_rows, width / self.channels, self.channels])
    }
}
