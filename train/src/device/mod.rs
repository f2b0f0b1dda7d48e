//! Devices: how they are written, what is there, and running work on the one that was chosen.
//!
//! Reading order: [`choice`] (`cpu`, `cuda:0`, `wgpu`), [`library`] (shared libraries by name),
//! [`nvidia`] (what the NVIDIA driver says), [`adapters`] (what wgpu finds), [`dispatch`] (the one
//! place where a choice becomes a backend), [`gate`] (whether that backend computes what the CPU
//! does). Nothing falls back: a device that is not there is an error.

pub mod adapters;
pub mod choice;
pub mod dispatch;
pub mod gate;
pub mod library;
pub mod nvidia;
pub(crate) mod sample;

pub use choice::{DeviceChoice, UnknownDevice};
pub use dispatch::{DeviceError, KernelChoice, OnDevice, on_device, require};
pub use gate::{GateReport, Mismatch};
pub use library::{Library, find_library};
