//! The convolution and its gradients.

use burn::tensor::Tensor;
use burn_cuda::CudaDevice;

use super::key;
use crate::families::convolution;
use crate::machine::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::{ConvolutionProblem, Cuda};

/// Runs a form of the convolution for `channels` channels.
fn convolved<const D: usize>(
    problem: &ConvolutionProblem,
    device: &CudaDevice,
    channels: usize,
    shape: [usize; D],
    form: impl FnOnce(&convolution::cuda::Call<'_, DeviceMachine>) -> DeviceArray,
) -> Tensor<Cuda, D> {
    on(device, |machine| {
        let upload = || convolution::cuda::Graph::upload(machine, &problem.graph);
        let graph = problem.graph.memo().get(key(device), upload);
        let call = convolution::cuda::Call { machine, problem, graph: &graph, channels };
        machine.tensor(form(&call), shape)
    })
}

/// [`convolution`](fn@crate::families::convolution::convolution).
pub(crate) fn forward(
    features: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let sizes = problem.sizes(features.dims()[2]);
    let shape = [sizes.num_nodes, problem.paths.num_outputs(), sizes.channels];
    convolved(problem, &features.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(features), machine.input(harmonics), machine.input(radial)];
        call.to_receivers(arrays.each_ref())
    })
}

/// [`convolution_features`](fn@crate::families::convolution::convolution_features).
pub(crate) fn features(
    grad: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_nodes, problem.paths.num_inputs(), sizes.channels];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(harmonics), machine.input(radial)];
        call.features(arrays.each_ref())
    })
}

/// [`convolution_harmonics`](fn@crate::families::convolution::convolution_harmonics).
pub(crate) fn harmonics(
    grad: Tensor<Cuda, 3>,
    features: Tensor<Cuda, 3>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 2> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_edges, problem.paths.num_harmonics()];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(features), machine.input(radial)];
        call.harmonics(arrays.each_ref())
    })
}

/// [`convolution_radial`](fn@crate::families::convolution::convolution_radial).
pub(crate) fn radial(
    grad: Tensor<Cuda, 3>,
    features: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let shape = [sizes.num_weights, problem.paths.len(), sizes.channels];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(features), machine.input(harmonics)];
        call.radial(arrays.each_ref())
    })
}
