//! Where kernels run: arrays in its memory, launches and matrix products on it.
//!
//! The host side of a family is written once for any machine: the device in production, the emulator in
//! tests. Work is done in the order in which it is given. Not here: shapes, which belong to the families,
//! and tensors, which `tensors` turns into arrays.

use super::launch::Launch;
use super::product::Product;
use super::signature::Kind;

/// Type of the elements of an array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Element {
    /// `float`
    F32,
    /// `double`
    F64,
    /// bf16, which kernels see as `u16`
    Bf16,
    /// `u8`
    U8,
    /// `u32`
    U32,
    /// `i32`
    I32,
}

impl Element {
    /// Size of one.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::Bf16 => 2,
            Self::F32 | Self::U32 | Self::I32 => 4,
            Self::F64 => 8,
        }
    }

    /// What a kernel's pointer to it points to.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::F32,
            Self::F64 => Kind::F64,
            Self::Bf16 => Kind::U16,
            Self::U8 => Kind::U8,
            Self::U32 => Kind::U32,
            Self::I32 => Kind::I32,
        }
    }

    /// The value of the define `Real` for it.
    ///
    /// # Panics
    /// For integers and bf16, which are not what kernels compute in.
    pub(crate) fn real(self) -> &'static str {
        assert!(
            matches!(self, Self::F32 | Self::F64),
            "kernels compute in f32 or f64, not {self:?}"
        );
        self.kind().name()
    }
}

/// An array in the memory of a machine. Clones are the same memory.
pub(crate) trait Array: Clone {
    /// Type of its elements.
    fn element(&self) -> Element;
    /// Number of its elements.
    fn len(&self) -> usize;
}

/// What a launch may ask of a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Threads of a block.
    pub(crate) block_threads: u32,
    /// Shared memory of a block, static and dynamic, with its consent.
    pub(crate) shared_bytes: u32,
    /// Blocks of a grid along x; along y and z every device allows 65535.
    pub(crate) grid_x: u32,
    /// Processors, each of which runs a few blocks at a time.
    pub(crate) multiprocessors: u32,
}

/// Runs launches in order.
pub(crate) trait Machine {
    /// Its memory.
    type Array: Array;

    /// Its limits.
    fn limits(&self) -> Limits;

    /// An array nobody wrote yet: its content means nothing (NaN on the emulator).
    fn array(&self, element: Element, len: usize) -> Self::Array;

    /// An array of zeros.
    fn zeros(&self, element: Element, len: usize) -> Self::Array;

    /// A table of the host on the machine.
    fn upload(&self, values: &[u32]) -> Self::Array;

    /// Runs a kernel after what was given before.
    ///
    /// # Panics
    /// When the launch does not fit its kernel's text or the limits: a bug of the family's host side.
    fn launch(&self, launch: Launch<'_, Self::Array>);

    /// Computes a matrix product after what was given before.
    ///
    /// # Panics
    /// When an operand ends before its last element: a bug of the family's host side.
    fn multiply(&self, product: Product<'_, Self::Array>);
}
