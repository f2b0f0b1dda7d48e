//! A case of a family, on a device.

use genesis_kernels::cases::{Case, Place, Run};
use genesis_kernels::{Kernels, Work};
use genesis_train::trainer::gate::is_the_reference;

use crate::ceiling::Arithmetic;

/// One operation on one shape.
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
    prepare: Box<dyn Fn() -> Run + Send + Sync>,
    wait: Box<dyn Fn() + Send + Sync>,
}

impl KernelCase {
    pub(super) fn new<B: Kernels>(at: &Place<B>, family: &'static str, case: Case<B>) -> Self {
        let Case { operation, shape, arithmetic, work, prepare } = case;
        let (place, device) = (at.clone(), at.device.clone());
        Self {
            family,
            operation,
            shape,
            arithmetic: arithmetic.into(),
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
    pub(super) fn prepare(&self) -> Run {
        (self.prepare)()
    }
}
