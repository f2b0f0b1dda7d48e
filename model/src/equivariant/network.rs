//! The network: embedding, layers of interaction and product, readouts, bound to parameters.

use std::sync::Arc;

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{ConvolutionProblem, Kernels, rows, spherical_harmonics};

use super::{
    blueprint::Blueprint,
    choices::EnergyKind,
    graph::{GraphInput, GraphLayout, constant},
    interaction::{EdgeFeatures, Interaction},
    pair_repulsion::pair_repulsion,
    product::Product,
    radial::RadialFeatures,
    readout::{HeadMasks, Readout},
    specs::Names,
};
use crate::params::Params;

/// A MACE whose layers hold the parameters' tensors.
///
/// # Source
/// Batatia et al., arXiv:2206.07697; every fixed factor as in mace-torch with e3nn 0.4.4.
#[derive(Debug, Clone)]
pub struct Mace<B: Backend> {
    blueprint: Blueprint,
    /// `[S, C]`
    embedding: Tensor<B, 2>,
    layers: Vec<Layer<B>>,
}

#[derive(Debug, Clone)]
struct Layer<B: Backend> {
    interaction: Interaction<B>,
    product: Product<B>,
    readout: Readout<B>,
}

/// Interaction energies, eV: what is left of the total without the isolated atoms.
#[derive(Debug, Clone)]
pub struct Output<B: Backend> {
    /// `[G]` of the structures.
    pub energy: Tensor<B, 1>,
    /// `[N]` of the atoms.
    pub node_energy: Tensor<B, 1>,
}

impl<B: Kernels> Mace<B> {
    /// The network of `blueprint` with the values of `params`.
    ///
    /// # Panics
    /// If `params` were made for another blueprint: a bug of the caller.
    pub fn bind(blueprint: &Blueprint, params: &Params<B>) -> Self {
        let config = blueprint.config();
        let (s, channels) = (config.elements.len(), config.channels);
        let embedding: Tensor<B, 1> = params.get(Names::EMBEDDING);
        let layer = |layer| Layer {
            interaction: Interaction::bind(blueprint, params, layer),
            product: Product::bind(blueprint, params, layer),
            readout: Readout::bind(blueprint, params, layer),
        };
        Self {
            blueprint: blueprint.clone(),
            embedding: embedding.reshape([s, channels]).mul_scalar(1.0 / (s as f64).sqrt()),
            layers: (0..config.num_interactions).map(layer).collect(),
        }
    }

    /// Energies as functions of `graph.vectors` and the parameters; differentiate them for forces.
    pub fn forward(&self, graph: &GraphInput<B>) -> Output<B> {
        let layout = &graph.layout;
        if layout.num_atoms() == 0 {
            let none = Tensor::zeros([0], (&self.embedding.device(), self.embedding.dtype()));
            return Output { energy: none.clone(), node_energy: none };
        }
        let site = self.scale_and_shift(self.site_energies(graph), layout);
        let energy = rows::sum_rows(site.clone(), &layout.graph_of_atom);
        Output {
            energy: energy.reshape([layout.num_graphs()]),
            node_energy: site.reshape([layout.num_atoms()]),
        }
    }

    /// `[N, 1]`: sum of the readouts, and the repulsion of nuclei.
    fn site_energies(&self, graph: &GraphInput<B>) -> Tensor<B, 2> {
        let config = self.blueprint.config();
        let layout = &graph.layout;
        let lengths = graph.vectors.clone().powi_scalar(2).sum_dim(1).sqrt();
        let radial = RadialFeatures::new(config, graph, lengths.clone());
        let harmonics =
            spherical_harmonics::spherical_harmonics(graph.vectors.clone(), config.max_ell);
        let edges = EdgeFeatures { radial, harmonics };
        let heads = HeadMasks::new(&self.blueprint, layout, &self.embedding);
        let mut x = self.embed(layout);
        let mut total: Option<Tensor<B, 2>> =
            config.zbl.then(|| pair_repulsion(config, graph, lengths));
        for (at, layer) in self.layers.iter().enumerate() {
            let paths = self.blueprint.paths(at).clone();
            let problem = ConvolutionProblem::new(paths, layout.edges.clone());
            let (messages, skip) = layer.interaction.forward(&x, &edges, &problem, graph);
            x = layer.product.forward(messages, skip, layout);
            let read = layer.readout.forward(&x, &heads);
            total = Some(match total {
                Some(total) => total.add(read),
                None => read,
            });
        }
        total.unwrap_or_else(|| unreachable!("a checked configuration has a layer"))
    }

    /// `[N, 1, C]`: the row of each atom's element.
    fn embed(&self, layout: &GraphLayout) -> Tensor<B, 3> {
        rows::gather_rows(self.embedding.clone(), &layout.species.places).unsqueeze_dim(1)
    }

    fn scale_and_shift(&self, site: Tensor<B, 2>, layout: &Arc<GraphLayout>) -> Tensor<B, 2> {
        let EnergyKind::ScaleShift { scale, shift_ev } = &self.blueprint.config().energy else {
            return site;
        };
        if let ([scale], [shift]) = (scale.as_slice(), shift_ev.as_slice()) {
            return site.mul_scalar(*scale).add_scalar(*shift);
        }
        let [scale, shift] = [scale, shift_ev].map(|of_head| {
            let of_graph: Vec<f64> = layout.heads.iter().map(|&head| of_head[head]).collect();
            let values = layout.on_atoms(&of_graph);
            constant(values, site.dims(), site.dtype().into(), &site.device())
        });
        site.mul(scale).add(shift)
    }
}
