//! Flat tensors between device and host, in the precision they have: f32 or f64.
//!
//! Not here: files (`checkpoint`), and which tensors there are (`optim`, `trainer`).

use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use genesis_kernels::Kernels;
use genesis_model::Params;
use sha2::{Digest as _, Sha256};

use super::tensors::{HostTensor, Values};

/// The values of `tensor`, bit for bit.
pub(crate) fn values_of<B: Kernels>(tensor: &Tensor<B, 1>) -> Values {
    let data = tensor.to_data();
    if tensor.dtype() == DType::F64 {
        Values::F64(data.convert::<f64>().into_vec().expect("converted to f64 just now"))
    } else {
        Values::F32(data.convert::<f32>().into_vec().expect("converted to f32 just now"))
    }
}

/// SHA-256 of the values of `tensors`, one after the other.
pub(crate) fn digest<B: Kernels>(tensors: &[Tensor<B, 1>]) -> String {
    let mut digest = Sha256::new();
    for tensor in tensors {
        // All of a tensor at once: a call for each number takes longer than hashing it.
        let bytes: Vec<u8> = match values_of(tensor) {
            Values::F32(values) => values.into_iter().flat_map(f32::to_le_bytes).collect(),
            Values::F64(values) => values.into_iter().flat_map(f64::to_le_bytes).collect(),
        };
        digest.update(bytes);
    }
    format!("{:x}", digest.finalize())
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

/// Parameters under their names with `prefix` in front.
pub(crate) fn tensors_of<B: Kernels>(prefix: &str, params: &Params<B>) -> Vec<HostTensor> {
    params
        .specs()
        .iter()
        .zip(params.values())
        .map(|(spec, value)| HostTensor {
            name: format!("{prefix}{}", spec.name),
            shape: spec.shape.clone(),
            values: values_of(value),
        })
        .collect()
}
