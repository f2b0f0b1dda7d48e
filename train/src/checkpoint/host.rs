//! Flat tensors between device and host, in the precision they have: f32 or f64.
//!
//! Not here: files (`checkpoint`), and which tensors there are (`optim`, `trainer`).

use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use genesis_kernels::Kernels;

use super::tensors::Values;

/// The values of `tensor`, bit for bit.
pub(crate) fn values_of<B: Kernels>(tensor: &Tensor<B, 1>) -> Values {
    let data = tensor.to_data();
    if tensor.dtype() == DType::F64 {
        Values::F64(data.convert::<f64>().into_vec().expect("converted to f64 just now"))
    } else {
        Values::F32(data.convert::<f32>().into_vec().expect("converted to f32 just now"))
    }
}

/// A checksum (CRC-32C) of the values of `tensors`, one after the other: equal for equal bits, and quick, because
/// steps wait for it. It finds what went wrong by itself, not what someone made up.
pub(crate) fn checksum<B: Kernels>(tensors: &[Tensor<B, 1>]) -> String {
    let sum = tensors.iter().fold(0, |sum, tensor| {
        // All of a tensor at once: a call for each number takes longer than the sum.
        crc32c::crc32c_append(sum, &tensor.to_data().bytes)
    });
    format!("{sum:08x}")
}

/// A tensor of `values` with elements of `dtype`: exact unless `dtype` is the narrower one.
pub(crate) fn tensor_of<B: Kernels>(
    values: Values,
    dtype: FloatDType,
    device: &B::Device,
) -> Tensor<B, 1> {
    let data = match (values, dtype) {
        (values, FloatDType::F64) => flat(values.into_f64()),
        (values, _) => flat(values.into_f32()),
    };
    Tensor::from_data(data, (device, DType::from(dtype)))
}

fn flat<E: burn::tensor::Element>(values: Vec<E>) -> TensorData {
    let length = values.len();
    TensorData::new(values, [length])
}

/// Values of every tensor, exact.
pub(crate) fn to_f64<B: Kernels>(tensors: &[Tensor<B, 1>]) -> Vec<Vec<f64>> {
    tensors.iter().map(|tensor| values_of(tensor).into_f64()).collect()
}
