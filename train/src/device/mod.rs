//! Devices: how they are written, what is there, and running work on the one that was chosen.
//!
//! Reading order: [`choice`] (`cpu`, `cuda:0`, `wgpu`), [`library`] (shared libraries by name),
//! [`nvidia`] (what the NVIDIA driver says), [`adapters`] (what wgpu finds), [`dispatch`] (the one
//! place where a choice becomes a backend). Nothing falls back: a device that is not there is an
//! error. Whether it computes what the CPU does is for the trainer's gate to say.

pub mod adapters;
pub mod choice;
pub mod dispatch;
pub mod library;
pub mod nvidia;

pub use choice::{DeviceChoice, UnknownDevice};
pub use dispatch::{DeviceError, KernelChoice, OnDevice, on_device, require};
pub use library::{Library, find_library};
