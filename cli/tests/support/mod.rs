//! Runs the real binary in a scratch folder and looks at what it says and leaves behind.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A scratch folder, removed at the end, and the binary in it.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
}

/// What one call left: exit code and both streams.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a scratch folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("inside the scratch folder")).expect("folder");
        std::fs::write(&path, contents).expect("scratch file");
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genesis"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::from(self.command(args).output().expect("the binary starts"))
    }

    /// Runs and expects success.
    pub(crate) fn succeed(&self, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(
            said.code,
            Some(0),
            "genesis {args:?} failed:\n{}\n{}",
            said.stdout,
            said.stderr
        );
        said
    }

    /// Runs and expects one paragraph of error with this exit code and all these words in it.
    pub(crate) fn fail(&self, args: &[&str], code: i32, words: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(said.code, Some(code), "genesis {args:?}:\n{}\n{}", said.stdout, said.stderr);
        assert!(said.stderr.contains("error:"), "no error line:\n{}", said.stderr);
        for word in words {
            assert!(said.stderr.contains(word), "`{word}` is missing in:\n{}", said.stderr);
        }
        assert!(!said.stderr.contains("panicked"), "a panic reached the user:\n{}", said.stderr);
        said
    }

    /// Names in the scratch folder (or one below), sorted.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(below))
            .expect("a folder to list")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Objects of events.jsonl that carry a training loss, as (step, exact text of the loss).
pub(crate) fn losses(run: &Path) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(run.join("events.jsonl")).expect("events.jsonl");
    let objects = text.lines().filter_map(|line| {
        serde_json::from_str::<serde_json::Value>(line).ok().filter(|v| v.get("loss").is_some())
    });
    objects.map(|v| (v["step"].as_u64().expect("a step number"), v["loss"].to_string())).collect()
}

/// The folder of reference data, when there is one.
pub(crate) fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("GENESIS_SHARED").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    named.or(Some(default)).filter(|path| path.is_dir())
}
