//! What the program decides about CUDA before it is used: where compiled kernels are kept, and how our work is
//! ordered with Burn's.
//!
//! Kernels are compiled when they are first needed; kept in a folder, a second run only loads them. The library of
//! kernels checks what it is given, so a damaged or foreign file costs time alone.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Memory};

use genesis_kernels::cuda::{KernelStore, Ordering, Settings, configure};

use crate::console;
use crate::exit::{Code, Failure};

/// Decides for this process, out of its environment.
pub(crate) fn settle() -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let ordering = ordering(variable("GENESIS_CUDA_ORDERING").as_deref())?;
    let folder = folder(variable);
    let store = folder.map(|folder| Arc::new(Folder::new(folder)) as Arc<dyn KernelStore>);
    Ok(configure(Settings { store, ordering, ..Settings::default() })?)
}

fn ordering(value: Option<&OsStr>) -> anyhow::Result<Ordering> {
    match value.map(OsStr::to_string_lossy).as_deref() {
        None | Some("events") => Ok(Ordering::Events),
        Some("synchronised") => {
            console::note(
                "note: GENESIS_CUDA_ORDERING=synchronised: the host waits around every kernel",
            );
            Ok(Ordering::Synchronised)
        }
        Some(other) => Err(Failure::error(
            Code::Usage,
            format!("GENESIS_CUDA_ORDERING is `{other}`; it may be `events` or `synchronised`"),
        )),
    }
}

/// `$GENESIS_CACHE`, or `genesis` in the user's folder of caches.
fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let named = variable("GENESIS_CACHE").map(PathBuf::from);
    let caches = || variable("XDG_CACHE_HOME").map(|caches| PathBuf::from(caches).join("genesis"));
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache/genesis"));
    Some(named.or_else(caches).or_else(home)?.join("cuda-kernels"))
}

/// A file per kernel.
struct Folder {
    path: PathBuf,
    complained: AtomicBool,
}

impl Folder {
    fn new(path: PathBuf) -> Self {
        Self { path, complained: AtomicBool::new(false) }
    }

    /// Writes elsewhere and renames, so that a file is whole or not there.
    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.path)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        file.write_all(bytes)?;
        file.persist(self.path.join(name)).map(drop).map_err(|error| error.error)
    }

    fn shown(&self) -> std::path::Display<'_> {
        Path::display(&self.path)
    }
}

impl KernelStore for Folder {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path.join(name)).ok()
    }

    fn save(&self, name: &str, bytes: &[u8]) {
        let Err(error) = self.write(name, bytes) else { return };
        if !self.complained.swap(true, Memory::Relaxed) {
            console::note(format!(
                "note: compiled kernels cannot be kept in {}: {error}; every run compiles them. \
                 GENESIS_CACHE names another folder",
                self.shown()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_and_nothing_else_is_left_in_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let store = Folder::new(place.path().join("deep/cuda-kernels"));
        assert_eq!(store.load("norm-1.bin"), None);
        store.save("norm-1.bin", b"first");
        store.save("norm-1.bin", b"second");
        assert_eq!(store.load("norm-1.bin").as_deref(), Some(&b"second"[..]));
        assert_eq!(std::fs::read_dir(&store.path).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_complained_of_once_and_loads_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = Folder::new(file.path().join("below-a-file"));
        store.save("norm-1.bin", b"first");
        assert!(store.complained.load(Memory::Relaxed));
        assert_eq!(store.load("norm-1.bin"), None);
    }

    #[test]
    fn the_named_folder_comes_before_those_of_the_user() {
        let of = |names: &[&str]| {
            let known: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            folder(move |name| known.iter().any(|it| it == name).then(|| format!("/{name}").into()))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["HOME"]).unwrap(), Path::new("/HOME/.cache/genesis/cuda-kernels"));
        assert_eq!(
            of(&["HOME", "GENESIS_CACHE"]).unwrap(),
            Path::new("/GENESIS_CACHE/cuda-kernels")
        );
        let caches = of(&["HOME", "XDG_CACHE_HOME"]).unwrap();
        assert_eq!(caches, Path::new("/XDG_CACHE_HOME/genesis/cuda-kernels"));
    }

    #[test]
    fn an_unknown_ordering_names_those_there_are() {
        let refused = ordering(Some(OsStr::new("sometimes"))).unwrap_err().to_string();
        assert!(refused.contains("`sometimes`") && refused.contains("`synchronised`"), "{refused}");
        assert_eq!(ordering(None).unwrap(), Ordering::Events);
    }
}
