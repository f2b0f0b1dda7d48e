//! What the program decides about CUDA before it is used: where kernels are kept, where libraries are, how our
//! work is ordered with Burn's. And what it may ask afterwards.
//!
//! This crate reads no environment and no files, so all of it comes from outside, once.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::compile::KernelStore;

/// How kernels of ours wait for Burn's and Burn's for ours.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Ordering {
    /// By events of the whole context, on the device: the host never waits. Needs a driver for CUDA 12.5.
    #[default]
    Events,
    /// The host waits for the device before and after our work: for older drivers, and to find out whether an
    /// error is one of ordering. Slow.
    Synchronised,
}

/// What the program decides.
#[derive(Clone, Default)]
pub struct Settings {
    /// Keeps compiled kernels between runs; without it every run compiles those it uses.
    pub store: Option<Arc<dyn KernelStore>>,
    /// Libraries to load before their usual names are tried: NVRTC, cuBLASLt and what they need, in order.
    pub libraries: Vec<PathBuf>,
    /// How our work is ordered with Burn's.
    pub ordering: Ordering,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { store, libraries, ordering } = self;
        let store = if store.is_some() { "given" } else { "none" };
        write!(f, "Settings {{ store: {store}, libraries: {libraries:?}, ordering: {ordering:?} }}")
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// CUDA was configured or used before.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("CUDA is configured once, before its first use")]
pub struct AlreadyConfigured;

/// Decides for the whole process.
///
/// # Errors
/// When that was done before, or CUDA has been used with the default settings.
pub fn configure(settings: Settings) -> Result<(), AlreadyConfigured> {
    SETTINGS.set(settings).map_err(|_| AlreadyConfigured)
}

/// The settings of the process; from now on they stay.
pub(crate) fn settings() -> &'static Settings {
    SETTINGS.get_or_init(Settings::default)
}
