//! Libraries loaded from where the program says they are, before anybody looks for them by name.
//!
//! A library that is loaded is found by its name afterwards, so those that come in Python packages serve as
//! well as those of a toolkit. They stay loaded until the process ends.

use std::path::Path;

use libloading::Library;

use super::error::CudaError;

/// Loads them in order; each may need those before it.
pub(crate) fn load(paths: &[impl AsRef<Path>]) -> Result<(), CudaError> {
    paths.iter().try_for_each(|path| load_one(path.as_ref()))
}

#[cfg(unix)]
fn load_one(path: &Path) -> Result<(), CudaError> {
    use libloading::os::unix::{Library as Unix, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the program names libraries of NVIDIA, whose initialisation has no conditions.
    let library = unsafe { Unix::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
    keep(path, library.map(Library::from))
}

#[cfg(not(unix))]
fn load_one(path: &Path) -> Result<(), CudaError> {
    // SAFETY: the program names libraries of NVIDIA, whose initialisation has no conditions.
    keep(path, unsafe { Library::new(path) })
}

fn keep(path: &Path, library: Result<Library, libloading::Error>) -> Result<(), CudaError> {
    let wrong = |error: libloading::Error| CudaError::Library {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    std::mem::forget(library.map_err(wrong)?);
    Ok(())
}
