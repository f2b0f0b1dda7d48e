//! Memory of Burn's on a GPU, lent on our stream.

use burn::tensor::Tensor;
use burn_cuda::CudaDevice;
use cubecl::Runtime as _;
use cubecl::cuda::CudaRuntime;

use super::array::DeviceArray;
use super::bridge;
use super::context::Context;
use crate::lend::{Borrower, Lend};
use crate::machine::Array as _;
use crate::{Cuda, PlainCuda};

impl Lend for Cuda {
    fn gpu_of(device: &CudaDevice) -> Option<usize> {
        Some(device.index)
    }

    fn lend(
        numbers: Tensor<Cuda, 1>,
        length: usize,
        borrower: Borrower,
    ) -> Result<Tensor<Cuda, 1>, String> {
        let device = numbers.device();
        let client = CudaRuntime::client(&device);
        let context = Context::of(&device).map_err(|error| error.to_string())?;
        let from = DeviceArray::of(numbers);
        let to = DeviceArray::new(&client, from.element(), length);
        let arrays = [from.handle, to.handle.clone()];
        bridge::lend(&context, arrays, borrower)?;
        Ok(to.tensor(&client, &device, [length]))
    }
}

impl Lend for PlainCuda {}
