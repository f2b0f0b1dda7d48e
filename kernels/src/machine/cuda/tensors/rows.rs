//! Rows by index.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_cuda::CudaDevice;

use super::key;
use crate::families::rows;
use crate::families::rows::cuda::Index;
use crate::machine::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::shape::assert_shape;
use crate::{Cuda, RowIndex};

/// The index in the memory of the device, brought there once.
fn index(machine: &DeviceMachine, device: &CudaDevice, of: &RowIndex) -> Arc<Index<DeviceArray>> {
    of.memo().get(key(device), || Index::upload(machine, of))
}

/// [`gather_rows`](fn@crate::families::rows::gather_rows).
pub(crate) fn gather(x: Tensor<Cuda, 2>, indices: &RowIndex) -> Tensor<Cuda, 2> {
    let ([rows, width], device) = (x.dims(), x.device());
    assert_shape("gather_rows", "x", [rows], [indices.num_rows()], "the index fixes N");
    on(&device, |machine| {
        let index = index(machine, &device, indices);
        let y = rows::cuda::gather(machine, &machine.input(x), &index, width);
        machine.tensor(y, [indices.num_items(), width])
    })
}

/// [`sum_rows`](fn@crate::families::rows::sum_rows).
pub(crate) fn sum(x: Tensor<Cuda, 2>, indices: &RowIndex) -> Tensor<Cuda, 2> {
    let ([items, width], device) = (x.dims(), x.device());
    assert_shape("sum_rows", "x", [items], [indices.num_items()], "the index fixes E");
    on(&device, |machine| {
        let index = index(machine, &device, indices);
        let y = rows::cuda::sum(machine, &machine.input(x), &index, width);
        machine.tensor(y, [indices.num_rows(), width])
    })
}
