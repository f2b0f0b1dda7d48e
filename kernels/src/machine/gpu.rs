//! Backends whose kernels run on a machine, and their tensors as its arrays.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor};

use super::Machine;

/// A backend with kernels on a machine.
pub(crate) trait Gpu: Backend {
    /// What runs them.
    type Machine: Tensors<Self>;

    /// Puts an operation together and gives it to the device.
    ///
    /// # Panics
    /// When the device cannot be used, or earlier work on it failed: the message says what is missing.
    fn on<T>(device: &Device<Self>, operation: impl FnOnce(&Self::Machine) -> T) -> T;
}

/// An array of a backend's machine.
pub(crate) type ArrayOf<B> = <<B as Gpu>::Machine as Machine>::Array;

/// Tensors as arrays of a machine, and back: the same memory, no copy where it is laid out by rows.
pub(crate) trait Tensors<B: Backend>: Machine<Array: Send + Sync + 'static> {
    /// The memory of a float tensor.
    fn input<const D: usize>(&self, x: Tensor<B, D>) -> Self::Array;

    /// The memory of an integer tensor.
    fn input_int<const D: usize>(&self, x: Tensor<B, D, Int>) -> Self::Array;

    /// Where what replaces `x` is written: its memory where nobody else holds it, else other memory; of wgpu,
    /// whose kernels change what they read, a copy.
    fn in_place_of(&self, x: &Self::Array) -> Self::Array;

    /// An array as a float tensor.
    fn tensor<const D: usize>(&self, array: Self::Array, shape: [usize; D]) -> Tensor<B, D>;

    /// What tables are kept by on this device.
    fn key(&self) -> u64;
}
