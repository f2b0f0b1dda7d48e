//! Inputs of kernels.

use burn::tensor::{Device, Distribution, FloatDType, Int, Tensor, TensorData};
use genesis_kernels::Cpu;

use crate::ceiling::Arithmetic;

/// Normal numbers in the type of `arithmetic`.
pub(super) fn normal<const D: usize>(shape: [usize; D], arithmetic: Arithmetic) -> Tensor<Cpu, D> {
    let numbers: Tensor<Cpu, D> =
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::<Cpu>::default());
    match arithmetic {
        Arithmetic::F64 => numbers.cast(FloatDType::F64),
        Arithmetic::F32 | Arithmetic::Bf16 => numbers,
    }
}

/// Numbers below `end` in an order without pattern.
pub(super) fn scattered(count: usize, end: usize) -> Vec<u32> {
    // The golden ratio's multiples are spread evenly; modulo 2^32.
    let place = |at: u32| (u64::from(at.wrapping_mul(0x9E37_79B9)) * end as u64) >> 32;
    (0..).take(count).map(|at| u32::try_from(place(at)).unwrap_or(0)).collect()
}

/// The same on the device.
pub(super) fn ids(count: usize, end: usize) -> Tensor<Cpu, 1, Int> {
    let ids: Vec<i32> =
        scattered(count, end).into_iter().map(|id| i32::try_from(id).unwrap_or(0)).collect();
    Tensor::from_data(TensorData::new(ids, [count]), &Device::<Cpu>::default())
}

/// Bytes of a number.
pub(super) fn bytes(arithmetic: Arithmetic) -> usize {
    match arithmetic {
        Arithmetic::F64 => 8,
        // Tensors of bf16-mixed training are f32; kernels round as they read.
        Arithmetic::F32 | Arithmetic::Bf16 => 4,
    }
}
