//! One operation on one shape.

use genesis_kernels::{Kernels, Work};
use genesis_train::trainer::gate::is_the_reference;

use super::tensors::Place;
use crate::ceiling::Arithmetic;

/// Something that can be run again and again, its inputs made.
pub(super) type Work1 = Box<dyn FnMut() + Send>;

/// An operation, its shape, and how to make its inputs.
pub struct KernelCase {
    /// Folder of the kernel.
    pub family: &'static str,
    /// Which of its operations.
    pub operation: &'static str,
    /// Sizes, for people.
    pub shape: String,
    /// What it multiplies with.
    pub arithmetic: Arithmetic,
    /// What it must do at least.
    pub work: Work,
    /// Whether work is queued and done later, as on a GPU.
    pub(super) is_queued: bool,
    prepare: Box<dyn Fn() -> Work1 + Send + Sync>,
    wait: Box<dyn Fn() + Send + Sync>,
}

impl KernelCase {
    /// `prepare` makes the inputs on the device of `at` and returns what is timed.
    pub(super) fn new<B: Kernels>(
        at: &Place<B>,
        [family, operation]: [&'static str; 2],
        shape: String,
        arithmetic: Arithmetic,
        work: Work,
        prepare: impl Fn(&Place<B>) -> Work1 + Send + Sync + 'static,
    ) -> Self {
        let (place, device) = (at.clone(), at.device.clone());
        Self {
            family,
            operation,
            shape,
            arithmetic,
            work,
            is_queued: !is_the_reference::<B>(),
            prepare: Box::new(move || prepare(&place)),
            // What went wrong on the device is told by the next operation that reads a result.
            wait: Box::new(move || drop(B::sync(&device))),
        }
    }

    /// Returns when everything that was started is done.
    pub(super) fn wait(&self) {
        (self.wait)();
    }

    /// Makes the inputs.
    pub(super) fn prepare(&self) -> Work1 {
        (self.prepare)()
    }
}
