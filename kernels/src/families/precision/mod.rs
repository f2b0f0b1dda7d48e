//! How precisely matrix products are computed, and the one rounding that mixed precision needs.
//!
//! `Bf16Mixed` rounds the operands of every matrix product to bf16 (8 significant bits, round to
//! nearest, ties to even) and accumulates in f32: the numerics of tensor cores and of
//! AVX512-BF16. Everything that is not an operand of a matrix product stays in f32.
//!
//! No reference: a cast there and back, in `round_by_cast`.
//! No op: the gradient passes unchanged, in `round_tracked`.
//! No roofline: a pass over the numbers, counted with the product it serves.

pub(crate) mod cases;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::backend::Autodiff;
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, FloatDType, Tensor};

pub use crate::bf16::{round_f32, round_f64};
use crate::cases::Arithmetic;
use crate::dispatch::{CHECKED, kernels};
use crate::graph::{primitive, register, tensor};

/// Precision of the matrix products of an operation, forward and backward.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Precision {
    /// Operands keep their dtype.
    Full,
    /// Operands are rounded to bf16; sums are kept in f32 (f64 if the inputs are f64).
    Bf16Mixed,
}

impl Precision {
    /// That of a case.
    pub(crate) fn of(arithmetic: Arithmetic) -> Self {
        if arithmetic == Arithmetic::Bf16 { Self::Bf16Mixed } else { Self::Full }
    }

    /// `x` as an operand of a matrix product.
    pub fn operand<B: PrecisionKernels, const D: usize>(self, x: Tensor<B, D>) -> Tensor<B, D> {
        match self {
            Self::Full => x,
            Self::Bf16Mixed => round_to_bf16(x),
        }
    }
}

/// The reference: through a tensor of dtype bf16.
pub fn round_by_cast<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let dtype = float_dtype(x.dtype());
    x.cast(FloatDType::BF16).cast(dtype)
}

/// The rounding on the CPU. Flex casts through a 20-bit mantissa, which loses the bits that
/// decide a tie, hence this pass over the numbers.
pub(crate) fn round_on_cpu<const D: usize>(x: Tensor<Flex, D>) -> Tensor<Flex, D> {
    let mut x = primitive(x);
    match x.dtype() {
        DType::F32 => x.storage_mut::<f32>().iter_mut().for_each(|v| *v = round_f32(*v)),
        DType::F64 => x.storage_mut::<f64>().iter_mut().for_each(|v| *v = round_f64(*v)),
        _ => return round_by_cast(tensor(x)),
    }
    tensor(x)
}

/// The float dtype as Burn's cast wants it.
pub(crate) fn float_dtype(dtype: DType) -> FloatDType {
    match dtype {
        DType::F64 => FloatDType::F64,
        DType::F16 => FloatDType::F16,
        DType::BF16 => FloatDType::BF16,
        _ => FloatDType::F32,
    }
}

#[derive(Debug)]
struct Rounding;

impl<B: Backend> Backward<B, 1> for Rounding {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(parent)] = ops.parents {
            grads.register::<B>(parent.id, grad);
        }
    }
}

/// Rounding inside a graph: the gradient passes unchanged (straight-through).
pub(crate) fn round_tracked<B: PrecisionKernels, C: CheckpointStrategy, const D: usize>(
    x: Tensor<Autodiff<B, C>, D>,
) -> Tensor<Autodiff<B, C>, D> {
    let x = primitive(x);
    let rounded = primitive(round_to_bf16(tensor::<B, D>(x.primitive.clone())));
    tensor(register::<B, C, _, 1>(Rounding, [&x], rounded, || ()))
}

kernels! {
    pub trait PrecisionKernels: Backend {
        fn round_to_bf16<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
            round_by_cast(x)
        }
    }
    cpu {
        round_to_bf16: round_on_cpu,
    }
    gpu {
        round_to_bf16: gpu::round,
    }
    autodiff {
        round_to_bf16: round_tracked,
    }
}

/// Nearest bf16 of every element, ties to even, in the dtype of `x`.
pub fn round_to_bf16<B: PrecisionKernels, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    <B as PrecisionKernels>::round_to_bf16(CHECKED, x)
}
