//! Inputs of kernels, and the device they lie on.

use burn::tensor::{DType, Distribution, FloatDType, Int, Tensor, TensorData};
use genesis_kernels::Kernels;

use crate::ceiling::Arithmetic;

/// A device, for the closures that make inputs there.
#[derive(Debug, Clone)]
pub(super) struct Place<B: Kernels> {
    pub(super) device: B::Device,
}

impl<B: Kernels> Place<B> {
    /// Normal numbers in the type of `arithmetic`.
    pub(super) fn normal<const D: usize>(
        &self,
        shape: [usize; D],
        arithmetic: Arithmetic,
    ) -> Tensor<B, D> {
        let numbers: Tensor<B, D> =
            Tensor::random(shape, Distribution::Normal(0.0, 1.0), &self.device);
        match arithmetic {
            Arithmetic::F64 => numbers.cast(FloatDType::F64),
            Arithmetic::F32 | Arithmetic::Bf16 => numbers,
        }
    }

    /// [`scattered`] numbers.
    pub(super) fn ids(&self, count: usize, end: usize) -> Tensor<B, 1, Int> {
        let ids: Vec<i32> =
            scattered(count, end).into_iter().map(|id| i32::try_from(id).unwrap_or(0)).collect();
        Tensor::from_data(TensorData::new(ids, [count]), &self.device)
    }

    /// Those of `all` that the device computes in.
    pub(super) fn can<const N: usize>(&self, all: [Arithmetic; N]) -> Vec<Arithmetic> {
        let has_f64 = B::supports_dtype(&self.device, DType::F64);
        all.into_iter().filter(|it| has_f64 || *it != Arithmetic::F64).collect()
    }
}

/// Numbers below `end` in an order without pattern.
pub(super) fn scattered(count: usize, end: usize) -> Vec<u32> {
    // The golden ratio's multiples are spread evenly; modulo 2^32.
    let place = |at: u32| (u64::from(at.wrapping_mul(0x9E37_79B9)) * end as u64) >> 32;
    (0..).take(count).map(|at| u32::try_from(place(at)).unwrap_or(0)).collect()
}

/// Bytes of a number.
pub(super) fn bytes(arithmetic: Arithmetic) -> usize {
    match arithmetic {
        Arithmetic::F64 => 8,
        // Tensors of bf16-mixed training are f32; kernels round as they read.
        Arithmetic::F32 | Arithmetic::Bf16 => 4,
    }
}
