//! Updates of flat buffers of CUDA.

use burn::tensor::Tensor;
use burn_cuda::CudaDevice;

use super::cuda;
use crate::machine::Tensors;
use crate::machine::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::{AdamwStep, AmsgradState, Cuda};

/// [`adamw`](fn@crate::families::adamw::adamw).
pub(crate) fn adamw(
    param: Tensor<Cuda, 1>,
    grad: Tensor<Cuda, 1>,
    first: Tensor<Cuda, 1>,
    second: Tensor<Cuda, 1>,
    step: &AdamwStep,
) -> (Tensor<Cuda, 1>, Tensor<Cuda, 1>, Tensor<Cuda, 1>) {
    let shape = param.dims();
    let [param, first, second] =
        update(&param.device(), shape, [param, first, second], |machine, state, out| {
            cuda::adamw(machine, &machine.input(grad), state, out, step);
        });
    (param, first, second)
}

/// [`amsgrad`](fn@crate::families::adamw::amsgrad).
pub(crate) fn amsgrad(
    state: AmsgradState<Cuda>,
    grad: Tensor<Cuda, 1>,
    step: &AdamwStep,
) -> AmsgradState<Cuda> {
    let AmsgradState { param, first, second, largest } = state;
    let shape = param.dims();
    let state = [param, first, second, largest];
    let device = state[0].device();
    let [param, first, second, largest] = update(&device, shape, state, |machine, state, out| {
        cuda::amsgrad(machine, &machine.input(grad), state, out, step);
    });
    AmsgradState { param, first, second, largest }
}

/// A change of buffers, in place where nobody else holds them.
fn update<const P: usize>(
    device: &CudaDevice,
    shape: [usize; 1],
    state: [Tensor<Cuda, 1>; P],
    change: impl FnOnce(&DeviceMachine, [&DeviceArray; P], [&DeviceArray; P]),
) -> [Tensor<Cuda, 1>; P] {
    on(device, |machine| {
        let state = state.map(|buffer| machine.input(buffer));
        let out = state.each_ref().map(|buffer| machine.in_place_of(buffer));
        change(machine, state.each_ref(), out.each_ref());
        out.map(|buffer| machine.tensor(buffer, shape))
    })
}
