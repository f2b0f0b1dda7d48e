//! CUDA: what the kernels of all families share.
//!
//! Launches are data (`launch.rs`), checked against the text of the kernel (`signature.rs`), and given to a
//! [`Machine`]: the device, or in tests the emulator, which runs the same launches on the CPU. So the host
//! side of every family is executed without a GPU. Not here: mathematics; each family has its own.

pub(crate) mod elementwise;
mod emitted;
#[cfg(all(test, unix))]
pub(crate) mod emulated;
#[cfg(all(test, unix))]
pub(crate) mod emulator;
pub(crate) mod launch;
pub(crate) mod machine;
pub(crate) mod product;
pub(crate) mod rounding;
pub(crate) mod signature;

pub(crate) use emitted::Emitted;
pub(crate) use launch::{Launch, Source};
pub(crate) use machine::{Array, Element, Machine};
