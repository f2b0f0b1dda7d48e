//! The driver in software, built and laid out so that programs open it: links under the names of NVIDIA's
//! libraries in one folder, and the variables that make a process find them.
//!
//! Tests are started by cargo behind a runner that sets the variables: cargo itself must not see them, since
//! other build scripts read some of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::stage::{cargo, must_succeed};

/// Names under which cudarc and cubecl look for NVIDIA's libraries.
const NAMES: [&str; 4] = ["libcuda.so", "libcuda.so.1", "libnvrtc.so", "libcublasLt.so"];
/// The name under which ranks look for NCCL: in a folder of its own, so that it can be missing.
const NCCL: &str = "libnccl.so.2";

/// Where the driver is.
pub(super) struct Launcher {
    /// Everything that it writes: `target/softcuda`.
    folder: PathBuf,
    /// The sources, `testing/softcuda`.
    pub(super) sources: PathBuf,
}

impl Launcher {
    /// Builds the driver and lays it out.
    pub(super) fn build(root: &Path) -> Result<Self> {
        let launcher =
            Self { folder: root.join("target/softcuda"), sources: root.join("testing/softcuda") };
        must_succeed(launcher.cargo(&["build"]))?;
        let built = launcher.folder.join("debug/libsoftcuda.so");
        ensure!(built.exists(), "{} was not built", built.display());
        let (links, nccl) = (launcher.folder.join("lib"), launcher.folder.join("lib-nccl"));
        fs::create_dir_all(&links)?;
        fs::create_dir_all(&nccl)?;
        for link in NAMES.iter().map(|name| links.join(name)).chain([nccl.join(NCCL)]) {
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link)?;
            }
            std::os::unix::fs::symlink(&built, &link)
                .with_context(|| format!("cannot make {}", link.display()))?;
        }
        Ok(launcher)
    }

    /// A command of cargo on the driver's own package.
    pub(super) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = cargo(&self.sources, arguments);
        command.arg("--locked").env("CARGO_TARGET_DIR", &self.folder);
        command
    }

    /// What a process must see to run on it: the order of streams by this seed, findings into this file.
    pub(super) fn variables(&self, seed: u64, report: &Path) -> Vec<(&'static str, String)> {
        let shown = |path: PathBuf| path.to_string_lossy().into_owned();
        vec![
            ("LD_LIBRARY_PATH", shown(self.folder.join("lib"))),
            ("CUDA_PATH", shown(self.sources.join("cuda"))),
            ("REQUIRE_DEVICE", "cuda".into()),
            ("GENESIS_CACHE", shown(self.folder.join("store"))),
            ("GENESIS_SOFTCUDA_CACHE", shown(self.folder.join("kernels"))),
            ("GENESIS_SOFTCUDA_REPORT", shown(report.to_owned())),
            ("GENESIS_SOFTCUDA_SEED", seed.to_string()),
        ]
    }

    /// The libraries with that of NCCL among them.
    pub(super) fn with_nccl(&self) -> String {
        ["lib", "lib-nccl"]
            .map(|name| self.folder.join(name).to_string_lossy().into_owned())
            .join(":")
    }

    /// The same as what cargo puts before a test.
    pub(super) fn runner(&self, seed: u64, report: &Path) -> Result<String> {
        let variables = self.variables(seed, report);
        let spaced = variables.iter().find(|(_, value)| value.contains(char::is_whitespace));
        ensure!(spaced.is_none(), "cargo's runner takes no path with a space: {spaced:?}");
        let set: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(format!("env {}", set.join(" ")))
    }

    /// Where the report of a program is.
    pub(super) fn report_of(&self, name: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        self.folder.join("reports").join(name.chars().map(plain).collect::<String>())
    }

    /// Where a run is.
    pub(super) fn folder_of_run(&self, name: &str) -> PathBuf {
        self.folder.join("runs").join(name)
    }

    /// An empty report.
    pub(super) fn report(&self, name: &str) -> Result<PathBuf> {
        let path = self.report_of(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// An empty folder for a run.
    pub(super) fn run_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder_of_run(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.parent().unwrap_or(&folder))?;
        Ok(folder)
    }
}

/// The findings of a report, each once.
pub(super) fn findings(report: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(report)?;
    let mut found: Vec<String> =
        text.lines().filter(|line| line.starts_with("finding: ")).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    Ok(found)
}
