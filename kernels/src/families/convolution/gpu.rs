//! The four forms on GPUs: kernels made from the paths, a thread per channel of a node or of a row of
//! weights, or 32 threads per edge.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::{ConvolutionProblem, EdgeGraph, emit};
use crate::families::rows::gpu::{Index, sum};
use crate::machine::emit::{Kernel, groups_of};
use crate::machine::{Array, Emitted, Gpu, Machine, Tensors};

/// A graph in the memory of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Graph<A> {
    ends: A,
    senders: Index<A>,
    receivers: Index<A>,
    weights: Index<A>,
}

impl<A> Graph<A> {
    pub(crate) fn upload<M: Machine<Array = A>>(machine: &M, graph: &EdgeGraph) -> Self {
        Self {
            ends: machine.upload(&graph.ends()),
            senders: Index::upload(machine, graph.senders()),
            receivers: Index::upload(machine, graph.receivers()),
            weights: Index::upload(machine, graph.weights()),
        }
    }
}

/// The kernels of one list of paths for one number of channels.
struct Sources {
    to_receivers: Vec<Emitted>,
    to_edges: Vec<Emitted>,
    radial: Vec<Emitted>,
    harmonics: Vec<Emitted>,
}

impl Sources {
    fn of(problem: &ConvolutionProblem, channels: usize) -> Arc<Self> {
        let paths = &problem.paths;
        let all = |kernels: Vec<Kernel>| Emitted::all("convolution", &kernels);
        paths.memo().get(channels as u64, || Self {
            to_receivers: all(emit::to_receivers(paths, channels)),
            to_edges: all(emit::to_edges(paths, channels)),
            radial: all(emit::radial(paths, channels)),
            harmonics: all(vec![emit::harmonics(paths, channels)]),
        })
    }
}

/// A call: what is summed, on which graph, for how many channels.
#[derive(Debug)]
pub(crate) struct Call<'a, M: Machine> {
    pub(crate) machine: &'a M,
    pub(crate) problem: &'a ConvolutionProblem,
    pub(crate) graph: &'a Graph<M::Array>,
    pub(crate) channels: usize,
}

impl<M: Machine> Call<'_, M> {
    /// `y`, of features, harmonics and radial weights.
    pub(crate) fn to_receivers(&self, [features, harmonics, radial]: [&M::Array; 3]) -> M::Array {
        let nodes = self.problem.graph.num_nodes();
        let y = self.array(features, nodes * self.problem.paths.num_outputs() * self.channels);
        let (starts, ends) = (self.graph.receivers.starts(), &self.graph.ends);
        for kernel in &self.sources().to_receivers {
            self.run(kernel, [&[features, harmonics, radial, starts, ends], &[&y]], nodes);
        }
        y
    }

    /// Gradient of the features, of the gradient, harmonics and radial weights.
    pub(crate) fn features(&self, [grad, harmonics, radial]: [&M::Array; 3]) -> M::Array {
        let graph = &self.problem.graph;
        let width = self.problem.paths.num_inputs() * self.channels;
        let along = self.array(grad, graph.num_edges() * width);
        let (starts, ends) = (self.graph.receivers.starts(), &self.graph.ends);
        for kernel in &self.sources().to_edges {
            let inputs = [grad, harmonics, radial, starts, ends];
            self.run(kernel, [&inputs, &[&along]], graph.num_nodes());
        }
        sum(self.machine, &along, &self.graph.senders, width)
    }

    /// Gradient of the harmonics, of the gradient, features and radial weights.
    pub(crate) fn harmonics(&self, [grad, features, radial]: [&M::Array; 3]) -> M::Array {
        let edges = self.problem.graph.num_edges();
        let dy = self.array(grad, edges * self.problem.paths.num_harmonics());
        for kernel in &self.sources().harmonics {
            let arrays: [&[&M::Array]; 2] = [&[grad, features, radial, &self.graph.ends], &[&dy]];
            kernel.launch(self.machine, arrays, edges, edges.div_ceil(emit::EDGES));
        }
        dy
    }

    /// Gradient of the radial weights, of the gradient, features and harmonics.
    pub(crate) fn radial(&self, [grad, features, harmonics]: [&M::Array; 3]) -> M::Array {
        let rows = self.problem.graph.weights().num_rows();
        let dr = self.array(grad, rows * self.problem.paths.len() * self.channels);
        let (starts, items) = (self.graph.weights.starts(), self.graph.weights.items());
        for kernel in &self.sources().radial {
            let inputs = [grad, features, harmonics, starts, items, &self.graph.ends];
            self.run(kernel, [&inputs, &[&dr]], rows);
        }
        dr
    }

    fn sources(&self) -> Arc<Sources> {
        Sources::of(self.problem, self.channels)
    }

    fn array(&self, like: &M::Array, len: usize) -> M::Array {
        self.machine.array(like.element(), len)
    }

    /// A thread per channel of `count` owners.
    fn run(&self, kernel: &Emitted, arrays: [&[&M::Array]; 2], count: usize) {
        kernel.launch(self.machine, arrays, count, groups_of(count, self.channels));
    }
}

/// Runs a form of the convolution for `channels` channels.
fn convolved<B: Gpu, const D: usize>(
    problem: &ConvolutionProblem,
    device: &Device<B>,
    channels: usize,
    shape: [usize; D],
    form: impl FnOnce(&Call<'_, B::Machine>) -> <B::Machine as Machine>::Array,
) -> Tensor<B, D> {
    B::on(device, |machine| {
        let graph = problem.graph.memo();
        let graph = graph.get(machine.key(), || Graph::upload(machine, &problem.graph));
        let call = Call { machine, problem, graph: &graph, channels };
        machine.tensor(form(&call), shape)
    })
}

/// [`convolution`](fn@super::convolution).
pub(crate) fn forward<B: Gpu>(
    features: Tensor<B, 3>,
    harmonics: Tensor<B, 2>,
    radial: Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let sizes = problem.sizes(features.dims()[2]);
    let shape = [sizes.num_nodes, problem.paths.num_outputs(), sizes.channels];
    convolved::<B, _>(problem, &features.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(features), machine.input(harmonics), machine.input(radial)];
        call.to_receivers(arrays.each_ref())
    })
}

/// [`convolution_features`](fn@super::convolution_features).
pub(crate) fn features<B: Gpu>(
    grad: Tensor<B, 3>,
    harmonics: Tensor<B, 2>,
    radial: Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_nodes, problem.paths.num_inputs(), sizes.channels];
    convolved::<B, _>(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(harmonics), machine.input(radial)];
        call.features(arrays.each_ref())
    })
}

/// [`convolution_harmonics`](fn@super::convolution_harmonics).
pub(crate) fn harmonics<B: Gpu>(
    grad: Tensor<B, 3>,
    features: Tensor<B, 3>,
    radial: Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 2> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_edges, problem.paths.num_harmonics()];
    convolved::<B, _>(problem, &grad.device(), sizes.channels, shape, |call| {
        let arrays = [grad, features, radial].map(|x| call.machine.input(x));
        call.harmonics(arrays.each_ref())
    })
}

/// [`convolution_radial`](fn@super::convolution_radial).
pub(crate) fn radial<B: Gpu>(
    grad: Tensor<B, 3>,
    features: Tensor<B, 3>,
    harmonics: Tensor<B, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_weights, problem.paths.len(), sizes.channels];
    convolved::<B, _>(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(features), machine.input(harmonics)];
        call.radial(arrays.each_ref())
    })
}

/// Kernels of this family in WGSL, as networks ask for them.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    use super::tests::{Convolution, Form};
    crate::machine::wgpu::testing::recorded(|machine| {
        for (degrees, channels) in
            [([0, 3, 3], 128), ([1, 3, 3], 128), ([2, 3, 3], 32), ([1, 6, 6], 3)]
        {
            let case = Convolution::new(Form::Output, degrees, &[[0, 0]], 1, channels);
            let problem = &case.problem;
            let graph = Graph::upload(machine, &problem.graph);
            let call = Call { machine, problem, graph: &graph, channels };
            let some = machine.numbers(1);
            let arrays = [&some; 3];
            call.to_receivers(arrays);
            call.features(arrays);
            call.harmonics(arrays);
            call.radial(arrays);
        }
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
