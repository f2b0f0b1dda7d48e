//! Where kernels of GPUs run: arrays in memory, launches in order. Three machines: a device of CUDA, an adapter of
//! wgpu, and in tests the emulator, which runs kernels of CUDA on the CPU.
//!
//! The host side of a family is written once for any of them. Work is done in the order in which it is given.
//! Not here: any operation, and shapes, which belong to the families.

#[cfg(all(test, unix, feature = "wgpu", not(feature = "cuda")))]
pub(crate) mod cuda;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod elementwise;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod emit;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod emitted;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod gpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod launch;
#[cfg(feature = "wgpu")]
pub mod wgpu;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) use emitted::Emitted;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) use gpu::{ArrayOf, Gpu, Tensors};
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) use launch::{Launch, Number, Source};

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

    /// The value of the define `Real` for it.
    ///
    /// # Panics
    /// For integers and bf16, which are not what kernels compute in.
    pub(crate) fn real(self) -> &'static str {
        match self {
            Self::F32 => "float",
            Self::F64 => "double",
            _ => unreachable!("kernels compute in f32 or f64, not {self:?}"),
        }
    }
}

/// What kernels of a machine are written in. A family asks where its algorithm is another one in each.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    /// CUDA, of a device or the emulator.
    Cuda,
    /// WGSL, of an adapter.
    #[cfg_attr(not(feature = "wgpu"), expect(dead_code, reason = "no machine speaks it"))]
    Wgsl,
}

/// An array in the memory of a machine. Clones are the same memory.
pub(crate) trait Array: Clone {
    /// Type of its elements.
    fn element(&self) -> Element;
    /// Number of its elements.
    fn len(&self) -> usize;
}

/// Runs launches in order.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) trait Machine {
    /// Its memory.
    type Array: Array;
    /// The language of its kernels.
    const LANGUAGE: Language = Language::Cuda;

    /// An array nobody wrote yet: its content means nothing (NaN on the emulator).
    fn array(&self, element: Element, len: usize) -> Self::Array;

    /// An array of zeros.
    fn zeros(&self, element: Element, len: usize) -> Self::Array;

    /// A table of the host on the machine.
    fn upload(&self, values: &[u32]) -> Self::Array;

    /// Runs a kernel after what was given before.
    ///
    /// # Panics
    /// When the launch does not fit its kernel's text or the limits: a bug of the family's host side, or sizes
    /// that an adapter cannot run.
    fn launch(&self, launch: Launch<'_, Self::Array>);
}
