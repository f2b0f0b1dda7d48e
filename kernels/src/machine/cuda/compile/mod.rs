//! Kernels compiled when they are first needed, and kept by what went into them.
//!
//! The key of a kept binary is everything that decides its bytes: source, prelude, defines, options, target,
//! and the version of the compiler. This crate touches no files, so where binaries are kept is given from
//! outside as a [`KernelStore`]; what comes out of it is checked before it is used, and a damaged entry is
//! compiled again and counted. Not here: loading binaries onto a device.

mod entry;
mod log;
#[cfg(feature = "cuda")]
pub(crate) mod nvrtc;
#[cfg(all(test, feature = "cuda"))]
pub(crate) mod nvrtc_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::signature::Defines;
use crate::machine::launch::Source;

/// What every kernel includes.
pub(crate) const PRELUDE: &str = include_str!("../prelude.cuh");
pub(crate) const PRELUDE_NAME: &str = "prelude.cuh";

/// Keeps compiled kernels between runs of the program: a folder, as a rule.
///
/// A store may lose entries or give back damaged ones; neither harms. A `save` that is interrupted must not
/// leave a part of an entry under its name if it can help it (write elsewhere, then rename).
pub trait KernelStore: Send + Sync {
    /// The entry of this name, when there is one. Names are letters, digits, `-`, `_` and `.`.
    fn load(&self, name: &str) -> Option<Vec<u8>>;

    /// Keeps an entry; a store that cannot says so in its own way and goes on.
    fn save(&self, name: &str, bytes: &[u8]);
}

/// What a binary is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Target {
    /// Machine code of this architecture, such as 90.
    Code(u32),
    /// PTX for this architecture, which the driver compiles for a newer one.
    Ptx(u32),
}

impl Target {
    /// Machine code where the compiler knows the device's architecture, else PTX for the newest it knows
    /// that the device can run.
    pub(crate) fn of(device: u32, known: &[u32]) -> Option<Self> {
        if known.contains(&device) {
            return Some(Self::Code(device));
        }
        known.iter().copied().filter(|&known| known < device).max().map(Self::Ptx)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Hopper's own instructions (wgmma, TMA) are in `sm_90a` alone, and only Hopper is 90.
            Self::Code(90) => write!(f, "sm_90a"),
            Self::Code(arch) => write!(f, "sm_{arch}"),
            Self::Ptx(arch) => write!(f, "compute_{arch}"),
        }
    }
}

/// Compiles a text; NVRTC, and in tests what counts calls.
pub(crate) trait Engine: Send + Sync {
    /// Such as `nvrtc-13.2`.
    fn version(&self) -> String;

    /// Architectures for which it makes machine code.
    fn architectures(&self) -> Vec<u32>;

    /// The binary, or what the compiler said.
    fn compile(&self, source: &Source, options: &[String]) -> Result<Vec<u8>, String>;
}

/// How many kernels came from where.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CompileCounts {
    /// Compiled by this process.
    pub compiled: usize,
    /// Taken from the store.
    pub loaded: usize,
    /// Names of entries of the store that were damaged, and compiled again.
    pub damaged: Vec<String>,
}

/// A kernel that does not compile.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{source_name} does not compile for {target} with {defines:?} ({version}){place}\n{log}")]
pub(crate) struct CompileError {
    source_name: String,
    target: String,
    defines: Defines,
    version: String,
    /// The first line with an error, and its text.
    place: String,
    log: String,
}

/// Compiles for one device.
pub(crate) struct Compiler {
    engine: Box<dyn Engine>,
    store: Option<Arc<dyn KernelStore>>,
    target: Target,
    counts: Mutex<CompileCounts>,
}

impl Compiler {
    /// For this target.
    pub(crate) fn new(
        engine: Box<dyn Engine>,
        store: Option<Arc<dyn KernelStore>>,
        target: Target,
    ) -> Self {
        Self { engine, store, target, counts: Mutex::default() }
    }

    /// Of the engine, such as `nvrtc-13.2`.
    pub(crate) fn version(&self) -> String {
        self.engine.version()
    }

    /// What kernels are compiled for.
    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> CompileCounts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The binary of a source: out of the store, or compiled and put there.
    #[expect(clippy::result_large_err, reason = "an error ends the run and holds the log")]
    pub(crate) fn binary(
        &self,
        source: &Source,
        defines: &Defines,
    ) -> Result<Vec<u8>, CompileError> {
        let options = options(self.target, defines);
        let key = entry::key(source, &options, &self.engine.version());
        let name = entry::name(source, key);
        match self.kept(&name, key) {
            Some(binary) => {
                self.count(|counts| counts.loaded += 1);
                Ok(binary)
            }
            None => self.compile(source, defines, &options, (&name, key)),
        }
    }

    fn kept(&self, name: &str, key: u128) -> Option<Vec<u8>> {
        let bytes = self.store.as_ref()?.load(name)?;
        let binary = entry::decode(&bytes, key);
        if binary.is_none() {
            self.count(|counts| counts.damaged.push(name.to_owned()));
        }
        binary
    }

    #[expect(clippy::result_large_err, reason = "as in `binary`")]
    fn compile(
        &self,
        source: &Source,
        defines: &Defines,
        options: &[String],
        (name, key): (&str, u128),
    ) -> Result<Vec<u8>, CompileError> {
        let result = self.engine.compile(source, options);
        let binary = result.map_err(|log| self.error(source, defines, log))?;
        self.count(|counts| counts.compiled += 1);
        if let Some(store) = &self.store {
            store.save(name, &entry::encode(&binary, key));
        }
        Ok(binary)
    }

    fn error(&self, source: &Source, defines: &Defines, log: String) -> CompileError {
        CompileError {
            source_name: source.name.to_string(),
            target: self.target.to_string(),
            defines: defines.clone(),
            version: self.engine.version(),
            place: log::first_error(&log, source).unwrap_or_default(),
            log,
        }
    }

    fn count(&self, change: impl FnOnce(&mut CompileCounts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Options of the compiler, defines included. No fast math: results are those of the formulas.
fn options(target: Target, defines: &Defines) -> Vec<String> {
    let fixed = [format!("--gpu-architecture={target}"), "--std=c++17".to_owned()];
    let defines = defines.iter().map(|(name, value)| format!("-D{name}={value}"));
    fixed.into_iter().chain(defines).collect()
}
