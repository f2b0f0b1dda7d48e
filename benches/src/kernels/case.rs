//! One operation on one shape.

use genesis_kernels::Work;

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
    prepare: Box<dyn Fn() -> Work1 + Send + Sync>,
}

impl KernelCase {
    /// `prepare` makes the inputs and returns what is timed.
    pub(super) fn new(
        [family, operation]: [&'static str; 2],
        shape: String,
        arithmetic: Arithmetic,
        work: Work,
        prepare: impl Fn() -> Work1 + Send + Sync + 'static,
    ) -> Self {
        Self { family, operation, shape, arithmetic, work, prepare: Box::new(prepare) }
    }

    /// Makes the inputs.
    pub(super) fn prepare(&self) -> Work1 {
        (self.prepare)()
    }
}
