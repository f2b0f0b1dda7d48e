//! The shared libraries that devices need: whether they are there, where, and how to get them.
//!
//! They are looked up by the names under which they will be loaded. Where that fails, folders are
//! searched in which installers leave them without telling the loader.

use std::path::{Path, PathBuf};

use genesis_train::device::find_library;
use genesis_train::device::nvidia::DRIVER;
use serde::Serialize;

/// A library and what it is for.
pub(super) struct Wanted {
    /// What people call it.
    pub(super) title: &'static str,
    names: &'static [&'static str],
    /// What does not work without it.
    purpose: &'static str,
    /// Where it comes from.
    remedy: &'static str,
}

/// All of them, most needed first.
pub(super) const WANTED: [Wanted; 6] = [
    Wanted {
        title: "NVIDIA driver",
        names: &DRIVER,
        purpose: "device cuda",
        remedy: "on a machine with an NVIDIA GPU, install its driver, 550 or newer; in a container, \
                 start it with access to the GPU (--gpus all)",
    },
    Wanted {
        title: "NVRTC",
        names: &["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"],
        purpose: "device cuda: compiles the kernels",
        remedy: "pip install nvidia-cuda-nvrtc (or nvidia-cuda-nvrtc-cu12), or a CUDA toolkit; name its \
                 folder in LD_LIBRARY_PATH",
    },
    Wanted {
        title: "cuBLASLt",
        names: &["libcublasLt.so", "libcublasLt.so.13", "libcublasLt.so.12"],
        purpose: "device cuda: matrix products",
        remedy: "pip install nvidia-cublas (or nvidia-cublas-cu12), or a CUDA toolkit; name its folder in \
                 LD_LIBRARY_PATH",
    },
    Wanted {
        title: "NCCL",
        names: &["libnccl.so", "libnccl.so.2"],
        purpose: "several GPUs; not used yet",
        remedy: "pip install nvidia-nccl-cu12, or the package libnccl2; name its folder in \
                 LD_LIBRARY_PATH",
    },
    Wanted {
        title: "Vulkan",
        names: &["libvulkan.so.1", "libvulkan.so"],
        purpose: "device wgpu (Linux)",
        remedy: "install the loader and a driver: libvulkan1 with that of the GPU, or mesa-vulkan-drivers",
    },
    Wanted {
        title: "MPI",
        names: &["libmpi.so", "libmpi.so.40", "libmpi.so.12"],
        purpose: "several machines; not used yet",
        remedy: "install Open MPI or MPICH, or load the cluster's module",
    },
];

/// What was found of a library.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) title: &'static str,
    pub(super) purpose: &'static str,
    /// The name that the loader knows; absent when it knows none.
    pub(super) name: Option<String>,
    pub(super) path: Option<PathBuf>,
    /// Where it lies without the loader knowing.
    pub(super) elsewhere: Option<PathBuf>,
    remedy: &'static str,
}

impl Found {
    /// As a line of a table.
    pub(super) fn line(&self) -> String {
        match (&self.name, &self.path, &self.elsewhere) {
            (Some(_), Some(path), _) => path.display().to_string(),
            (Some(name), None, _) => name.clone(),
            (None, _, Some(path)) => {
                format!("not found by name, but there is {}", path.display())
            }
            (None, _, None) => "not found".to_owned(),
        }
    }

    /// What to do about it; nothing when it is there.
    pub(super) fn advice(&self) -> Option<String> {
        let Self { title, purpose, remedy, .. } = self;
        if self.name.is_some() {
            return None;
        }
        Some(match self.elsewhere.as_deref().and_then(Path::parent) {
            Some(folder) => format!(
                "{title} ({purpose}): export LD_LIBRARY_PATH={}:$LD_LIBRARY_PATH",
                folder.display()
            ),
            None => format!("{title} ({purpose}): {remedy}"),
        })
    }
}

/// Looks for all of them.
pub(super) fn find_all() -> Vec<Found> {
    let folders = folders();
    WANTED.iter().map(|wanted| wanted.find(&folders)).collect()
}

impl Wanted {
    fn find(&self, folders: &[PathBuf]) -> Found {
        let library = find_library(self.names);
        let lies_in = |folder: &PathBuf| {
            self.names.iter().map(|name| folder.join(name)).find(|path| path.is_file())
        };
        let elsewhere = if library.is_none() { folders.iter().find_map(lies_in) } else { None };
        let (name, path) = library.map_or((None, None), |it| (Some(it.name), it.path));
        let Self { title, purpose, remedy, .. } = *self;
        Found { title, purpose, name, path, elsewhere, remedy }
    }
}

/// Folders of CUDA toolkits, and of NVIDIA's Python packages in the active environment.
fn folders() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let toolkits = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable);
    let toolkits = toolkits.chain([PathBuf::from("/usr/local/cuda"), PathBuf::from("/opt/cuda")]);
    let mut folders: Vec<PathBuf> =
        toolkits.flat_map(|root| [root.join("lib64"), root.join("lib")]).collect();
    for environment in ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable) {
        folders.push(environment.join("lib"));
        for python in below(&environment.join("lib"), "python") {
            let packages = python.join("site-packages/nvidia");
            folders.extend(below(&packages, "").into_iter().map(|package| package.join("lib")));
        }
    }
    folders
}

/// Folders in `folder` whose names begin with `prefix`, in order.
fn below(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|it| it.file_name().to_string_lossy().starts_with(prefix));
    let mut found: Vec<PathBuf> = named.map(|it| it.path()).filter(|it| it.is_dir()).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: Wanted = Wanted {
        title: "Nothing",
        names: &["libnothing_of_this_name.so.3"],
        purpose: "a test",
        remedy: "write it",
    };

    #[test]
    fn what_the_loader_does_not_know_is_looked_for_in_the_folders_of_installers() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().join("other"), folder.path().to_path_buf()];
        let found = ABSENT.find(&folders);
        assert_eq!(found.line(), "not found");
        assert_eq!(found.advice().unwrap(), "Nothing (a test): write it");
        std::fs::write(folder.path().join(ABSENT.names[0]), "").unwrap();
        let found = ABSENT.find(&folders);
        assert!(found.line().ends_with(ABSENT.names[0]), "{found:?}");
        let export = format!("export LD_LIBRARY_PATH={}:", folder.path().display());
        assert!(found.advice().unwrap().contains(&export), "{found:?}");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn what_is_there_needs_no_advice() {
        let there = Wanted { names: &["libc.so.6"], ..ABSENT };
        let found = there.find(&[]);
        assert_eq!((found.name.as_deref(), found.advice()), (Some("libc.so.6"), None));
        assert!(found.line().starts_with('/'), "{found:?}");
    }
}
