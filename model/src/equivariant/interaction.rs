//! From features of atoms to messages: convolve with the harmonics of the edges, sum, mix channels.
//!
//! ```text
//! messages   A_i = linear(sum_j R_ij(path) (h_j ⊗ Y_ij)) / D_i
//! D_i        avg_num_neighbors, or 1 + sum_j tanh((e_ij w / sqrt(num_bessel))^2) f in density blocks,
//!            f the cut-off where it is not part of e
//! agnostic   A <- element-dependent map of A
//! residual   skip = element-dependent map of h, added after the product
//! source     blocks of mace-torch of the same names
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{ConvolutionProblem, Kernels, Precision, convolution, rows};

use super::{
    blueprint::Blueprint, choices::InteractionKind, degree_linear::DegreeLinear,
    element_linear::ElementLinear, graph::GraphInput, radial::RadialFeatures,
    radial::RadialNetwork, specs::Names, specs::skip_degrees,
};
use crate::{layers::linear::Linear, params::Params};

/// What all layers see of the edges.
#[derive(Debug, Clone)]
pub(super) struct EdgeFeatures<B: Backend> {
    pub(super) radial: RadialFeatures<B>,
    /// `[E, (max_ell + 1)^2]`
    pub(super) harmonics: Tensor<B, 2>,
}

/// One interaction block.
#[derive(Debug, Clone)]
pub(super) struct Interaction<B: Backend> {
    kind: InteractionKind,
    linear_up: DegreeLinear<B>,
    radial: RadialNetwork<B>,
    density: Option<Linear<B>>,
    /// Divides by `avg_num_neighbors` where no density does.
    linear: DegreeLinear<B>,
    skip: ElementLinear<B>,
}

impl<B: Kernels> Interaction<B> {
    pub(super) fn bind(blueprint: &Blueprint, params: &Params<B>, layer: usize) -> Self {
        let config = blueprint.config();
        let (kind, channels) = (config.interaction_of(layer), config.channels);
        let singles = vec![1; config.degree_before(layer) + 1];
        let paths = blueprint.paths(layer);
        let copies: Vec<usize> = (0..=config.max_ell).map(|l| paths.num_paths_to(l)).collect();
        let gain = if kind.has_density() { 1.0 } else { 1.0 / config.avg_num_neighbors };
        let density = || {
            let weight: Tensor<B, 2> = params.get(&Names::density(layer));
            Linear::of(weight.mul_scalar(1.0 / (config.num_bessel as f64).sqrt()))
        };
        let [up, down, skip] =
            [Names::linear_up(layer), Names::message_linear(layer), Names::skip(layer)]
                .map(|name| params.flat(&name));
        let num_degrees = skip_degrees(config, layer);
        Self {
            kind,
            linear_up: DegreeLinear::bind(up, &singles, channels, 1.0),
            radial: RadialNetwork::bind(config, params, layer),
            density: kind.has_density().then(density),
            linear: DegreeLinear::bind(down, &copies, channels, gain),
            skip: ElementLinear::bind(skip, num_degrees, config.elements.len(), channels),
        }
    }

    /// Messages `[N, (max_ell + 1)^2, C]`, and what skips the product.
    pub(super) fn forward(
        &self,
        x: &Tensor<B, 3>,
        edges: &EdgeFeatures<B>,
        problem: &ConvolutionProblem,
        graph: &GraphInput<B>,
    ) -> (Tensor<B, 3>, Option<Tensor<B, 3>>) {
        let skip = self.kind.is_residual().then(|| self.skip.forward(x.clone(), &graph.layout));
        let up = self.linear_up.forward(x.clone());
        let weights = self.radial.forward(&edges.radial);
        let sums = convolution::convolution(up, edges.harmonics.clone(), weights, problem);
        let mut messages = self.linear.forward(sums);
        if let Some(weight) = &self.density {
            messages = messages.div(density(weight, &edges.radial, graph));
        }
        if skip.is_none() {
            messages = self.skip.forward(messages, &graph.layout);
        }
        (messages, skip)
    }
}

/// `[N, 1, 1]`: one plus the learned density of neighbours.
fn density<B: Kernels>(
    weight: &Linear<B>,
    radial: &RadialFeatures<B>,
    graph: &GraphInput<B>,
) -> Tensor<B, 3> {
    let of_pair = weight.forward(radial.features(), Precision::Full).powi_scalar(2).tanh();
    let of_pair = match radial.late_cutoff() {
        Some(cutoff) => of_pair.mul(cutoff),
        None => of_pair,
    };
    let edges = &graph.layout.edges;
    let of_edge = rows::gather_rows(of_pair, edges.weights());
    let sums = rows::sum_rows(of_edge, edges.receivers());
    sums.add_scalar(1.0).unsqueeze_dim(2)
}
