//! Maps between channels on tensors of CUDA: they become arrays, and the results tensors.

use burn::tensor::Tensor;
use burn_cuda::CudaDevice;

use super::ChannelLinear;
use super::cuda::{Call, Order};
use crate::Cuda;
use crate::machine::Tensors;
use crate::machine::cuda::device::{DeviceArray, DeviceMachine, on};

/// Runs a form of the map, whose shapes were checked, for `num_nodes` nodes of `num_rows` rows each.
fn mapped<const D: usize>(
    map: &ChannelLinear,
    device: &CudaDevice,
    [num_nodes, num_rows]: [usize; 2],
    shape: [usize; D],
    form: impl FnOnce(&Call<'_, DeviceMachine>) -> DeviceArray,
) -> Tensor<Cuda, D> {
    on(device, |machine| {
        let order = map
            .species
            .as_ref()
            .map(|species| species.memo().get(machine.key(), || Order::upload(machine, species)));
        let call = Call { machine, map, order: order.as_deref(), num_nodes, num_rows };
        machine.tensor(form(&call), shape)
    })
}

/// [`channel_linear`](fn@crate::families::channel_linear::channel_linear).
pub(crate) fn forward(
    x: Tensor<Cuda, 3>,
    weights: Tensor<Cuda, 1>,
    map: &ChannelLinear,
) -> Tensor<Cuda, 3> {
    let [num_nodes, num_rows, _] = x.dims();
    let shape = [num_nodes, map.num_outputs(), map.channels];
    mapped(map, &x.device(), [num_nodes, num_rows], shape, |call| {
        call.forward(&call.machine.input(x), &call.machine.input(weights))
    })
}

/// [`channel_linear_input`](fn@crate::families::channel_linear::channel_linear_input).
pub(crate) fn input(
    grad: Tensor<Cuda, 3>,
    weights: Tensor<Cuda, 1>,
    num_rows: usize,
    map: &ChannelLinear,
) -> Tensor<Cuda, 3> {
    let num_nodes = grad.dims()[0];
    let shape = [num_nodes, num_rows, map.channels];
    mapped(map, &grad.device(), [num_nodes, num_rows], shape, |call| {
        call.input(&call.machine.input(grad), &call.machine.input(weights))
    })
}

/// [`channel_linear_weight`](fn@crate::families::channel_linear::channel_linear_weight).
pub(crate) fn weight(
    grad: Tensor<Cuda, 3>,
    x: Tensor<Cuda, 3>,
    map: &ChannelLinear,
) -> Tensor<Cuda, 1> {
    let [num_nodes, num_rows, _] = x.dims();
    mapped(map, &x.device(), [num_nodes, num_rows], [map.num_weights()], |call| {
        call.weight(&call.machine.input(grad), &call.machine.input(x))
    })
}
