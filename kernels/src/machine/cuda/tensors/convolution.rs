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

/// [`Kernels::convolution`](crate::Kernels::convolution).
pub(crate) fn forward(
    features: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let (h, y, r) = (features.dims(), harmonics.dims(), radial.dims());
    let sizes = problem.check("convolution", None, Some(h), Some(y), Some(r));
    let shape = [sizes.num_nodes, problem.paths.num_outputs(), sizes.channels];
    convolved(problem, &features.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(features), machine.input(harmonics), machine.input(radial)];
        call.to_receivers(arrays.each_ref())
    })
}

/// [`Kernels::convolution_features`](crate::Kernels::convolution_features).
pub(crate) fn features(
    grad: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let (g, y, r) = (grad.dims(), harmonics.dims(), radial.dims());
    let sizes = problem.check("convolution_features", Some(g), None, Some(y), Some(r));
    let shape = [sizes.num_nodes, problem.paths.num_inputs(), sizes.channels];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(harmonics), machine.input(radial)];
        call.features(arrays.each_ref())
    })
}

/// [`Kernels::convolution_harmonics`](crate::Kernels::convolution_harmonics).
pub(crate) fn harmonics(
    grad: Tensor<Cuda, 3>,
    features: Tensor<Cuda, 3>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 2> {
    let (g, h, r) = (grad.dims(), features.dims(), radial.dims());
    let sizes = problem.check("convolution_harmonics", Some(g), Some(h), None, Some(r));
    let shape = [sizes.num_edges, problem.paths.num_harmonics()];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(features), machine.input(radial)];
        call.harmonics(arrays.each_ref())
    })
}

/// [`Kernels::convolution_radial`](crate::Kernels::convolution_radial).
pub(crate) fn radial(
    grad: Tensor<Cuda, 3>,
    features: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let (g, h, y) = (grad.dims(), features.dims(), harmonics.dims());
    let sizes = problem.check("convolution_radial", Some(g), Some(h), Some(y), None);
    let shape = [sizes.num_weights, problem.paths.len(), sizes.channels];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(features), machine.input(harmonics)];
        call.radial(arrays.each_ref())
    })
}
