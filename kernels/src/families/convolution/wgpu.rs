//! The four forms on wgpu: kernels made from the paths, a thread per channel of a node, of a row of
//! weights, or 32 threads per edge.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{ConvolutionProblem, EdgeGraph, Paths, emit};
use crate::Wgpu;
use crate::families::rows::wgpu::{Index, sum_array};
use crate::machine::emit::{Kernel, groups_of};
use crate::machine::wgpu::{Array, Shader, emitted, launch_emitted};

/// A graph in the memory of a device.
#[derive(Debug)]
struct Graph {
    ends: Array,
    receivers: Arc<Index>,
    weights: Arc<Index>,
}

impl Graph {
    /// The graph on the device of `like`, uploaded when first asked for.
    fn on(like: &Array, graph: &EdgeGraph) -> Arc<Self> {
        graph.memo().get(like.device_key(), || Self {
            ends: like.table(&graph.ends()),
            receivers: Index::on(like, graph.receivers()),
            weights: Index::on(like, graph.weights()),
        })
    }
}

/// The kernels of one list of paths for one number of channels.
struct Shaders {
    to_receivers: Vec<Shader>,
    to_edges: Vec<Shader>,
    radial: Vec<Shader>,
    harmonics: Shader,
}

impl Shaders {
    fn of(paths: &Paths, channels: usize) -> Arc<Self> {
        let all = |kernels: Vec<Kernel>| kernels.iter().map(emitted).collect();
        paths.memo().get(channels as u64, || Self {
            to_receivers: all(emit::to_receivers(paths, channels)),
            to_edges: all(emit::to_edges(paths, channels)),
            radial: all(emit::radial(paths, channels)),
            harmonics: emitted(&emit::harmonics(paths, channels)),
        })
    }
}

/// Kernels of this family as networks ask for them.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    let mut all = Vec::new();
    for (degrees, channels) in [([0, 3, 3], 128), ([1, 3, 3], 128), ([2, 3, 3], 32), ([1, 6, 6], 3)]
    {
        let of = Shaders::of(&Paths::new(degrees[0], degrees[1], degrees[2]), channels);
        all.extend([&of.to_receivers, &of.to_edges, &of.radial].into_iter().flatten().cloned());
        all.push(of.harmonics.clone());
    }
    all
}

/// [`convolution`](fn@crate::families::convolution::convolution).
pub(crate) fn forward(
    features: Tensor<Wgpu, 3>,
    harmonics: Tensor<Wgpu, 2>,
    radial: Tensor<Wgpu, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Wgpu, 3> {
    let sizes = problem.sizes(features.dims()[2]);
    let shape = [sizes.num_nodes, problem.paths.num_outputs(), sizes.channels];
    if sizes.num_edges * sizes.channels == 0 {
        return Tensor::zeros(shape, &features.device());
    }
    let (x, y, r) = (Array::new(features), Array::new(harmonics), Array::new(radial));
    let graph = Graph::on(&x, &problem.graph);
    let out = x.room(shape);
    for shader in &Shaders::of(&problem.paths, sizes.channels).to_receivers {
        let arrays = [&x, &y, &r, graph.receivers.starts(), &graph.ends, &out];
        run(shader, &arrays, sizes.num_nodes, sizes.channels);
    }
    out.tensor(shape)
}

/// [`convolution_features`](fn@crate::families::convolution::convolution_features).
pub(crate) fn features(
    grad: Tensor<Wgpu, 3>,
    harmonics: Tensor<Wgpu, 2>,
    radial: Tensor<Wgpu, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Wgpu, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let rows = problem.paths.num_inputs();
    let shape = [sizes.num_nodes, rows, sizes.channels];
    if sizes.num_edges * sizes.channels == 0 {
        return Tensor::zeros(shape, &grad.device());
    }
    let (g, y, r) = (Array::new(grad), Array::new(harmonics), Array::new(radial));
    let graph = Graph::on(&g, &problem.graph);
    let along = g.room([sizes.num_edges, rows, sizes.channels]);
    for shader in &Shaders::of(&problem.paths, sizes.channels).to_edges {
        let arrays = [&g, &y, &r, graph.receivers.starts(), &graph.ends, &along];
        run(shader, &arrays, sizes.num_nodes, sizes.channels);
    }
    sum_array(&along, problem.graph.senders(), rows * sizes.channels).tensor(shape)
}

/// [`convolution_harmonics`](fn@crate::families::convolution::convolution_harmonics).
pub(crate) fn harmonics(
    grad: Tensor<Wgpu, 3>,
    features: Tensor<Wgpu, 3>,
    radial: Tensor<Wgpu, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Wgpu, 2> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_edges, problem.paths.num_harmonics()];
    if sizes.num_edges * sizes.channels == 0 {
        return Tensor::zeros(shape, &grad.device());
    }
    let (g, x, r) = (Array::new(grad), Array::new(features), Array::new(radial));
    let graph = Graph::on(&g, &problem.graph);
    let out = g.room(shape);
    let shader = &Shaders::of(&problem.paths, sizes.channels).harmonics;
    let groups = sizes.num_edges.div_ceil(emit::EDGES);
    launch_emitted(shader, &[&g, &x, &r, &graph.ends, &out], sizes.num_edges, groups);
    out.tensor(shape)
}

/// [`convolution_radial`](fn@crate::families::convolution::convolution_radial).
pub(crate) fn radial(
    grad: Tensor<Wgpu, 3>,
    features: Tensor<Wgpu, 3>,
    harmonics: Tensor<Wgpu, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<Wgpu, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_weights, problem.paths.len(), sizes.channels];
    if sizes.num_edges * sizes.channels == 0 {
        return Tensor::zeros(shape, &grad.device());
    }
    let (g, x, y) = (Array::new(grad), Array::new(features), Array::new(harmonics));
    let graph = Graph::on(&g, &problem.graph);
    let out = g.room(shape);
    for shader in &Shaders::of(&problem.paths, sizes.channels).radial {
        let (starts, items) = (graph.weights.starts(), graph.weights.items());
        let arrays = [&g, &x, &y, starts, items, &graph.ends, &out];
        run(shader, &arrays, sizes.num_weights, sizes.channels);
    }
    out.tensor(shape)
}

/// A thread per channel of each owner.
fn run(shader: &Shader, arrays: &[&Array], owners: usize, channels: usize) {
    launch_emitted(shader, arrays, owners, groups_of(owners, channels));
}
