//! Numbers of a tensor, lent where they lie to a library that works on memory of a device: sums over ranks.
//!
//! The library gets addresses and a stream, behind all work that was given to the device before; what is given to it
//! after comes behind the library's. Only CUDA lends. Not here: what such a library does.

use std::ffi::c_void;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Memory of a device, until the stream has done what the borrower gives it.
#[derive(Debug)]
pub struct Lent {
    /// Address of the numbers, which stay as they are.
    pub from: u64,
    /// Address of the memory for the results.
    pub to: u64,
    /// A stream of the device, such as a `CUstream`.
    pub stream: *mut c_void,
}

/// What is done with the memory, on the thread that gives work to the device, or why it cannot be done.
pub type Borrower = Box<dyn FnOnce(Lent) -> Result<(), String> + Send>;

/// A backend whose memory may be lent.
pub trait Lend: Backend {
    /// The number of the GPU of `device` in this process, if its memory can be lent.
    fn gpu_of(_device: &Self::Device) -> Option<usize> {
        None
    }

    /// Lends `numbers` and memory for `length` numbers of their type, which are returned. When this returns, the
    /// borrower has given its work to the stream, which may not have done it yet.
    ///
    /// # Errors
    /// What the borrower said, or the device.
    ///
    /// # Panics
    /// Where [`Lend::gpu_of`] is none: a bug of the caller.
    fn lend(
        _numbers: Tensor<Self, 1>,
        _length: usize,
        _borrower: Borrower,
    ) -> Result<Tensor<Self, 1>, String> {
        unreachable!("this backend lends nothing")
    }
}

impl Lend for Flex {}

impl<B: Backend, C: CheckpointStrategy> Lend for Autodiff<B, C> {}
