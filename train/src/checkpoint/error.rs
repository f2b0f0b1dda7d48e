//! What can be wrong with a checkpoint: each message names the place, both values and the fix.

use std::path::{Path, PathBuf};

/// Why a checkpoint could not be written, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}; check that the folder exists and is writable")]
    Io {
        /// What was being done, as a verb: "write", "read", "rename".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No room left.
    #[error(
        "disk full: the checkpoint of step {step} needs {bytes} bytes and {path} could not be \
         written ({source}). No half checkpoint was left and earlier checkpoints are untouched: \
         free space, or lower checkpoint.keep_last, then start again with --resume"
    )]
    DiskFull {
        /// Updates done at the checkpoint.
        step: u64,
        /// Size of the whole checkpoint.
        bytes: u64,
        /// The file that did not fit.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder already exists, so writing there would destroy something.
    #[error("{path} already exists and is never overwritten; move it away, or use a new run.dir")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// No `COMMITTED` file: the save never finished, or the folder is something else.
    #[error(
        "{path}: no COMMITTED file, so the save did not finish or this is not a checkpoint \
         folder; name a folder such as checkpoints/step-00000500 that has one"
    )]
    NotCommitted {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not the one that was written.
    #[error(
        "{path}: SHA-256 is {actual} but {recorded_in} says {expected}; the file was changed or \
         damaged after the save: use another checkpoint or restore this file from a copy"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// Digest recorded when it was saved.
        expected: String,
        /// Digest of what is there.
        actual: String,
        /// The file that holds the recorded digest.
        recorded_in: &'static str,
    },
    /// A file has another length than was written.
    #[error(
        "{path}: {actual} bytes but manifest.json says {expected}; the file was truncated or \
         replaced: use another checkpoint or restore this file from a copy"
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes recorded when it was saved.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// A listed file is not there.
    #[error("{path}: missing, but manifest.json lists it; restore it or use another checkpoint")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A later program wrote it.
    #[error(
        "{path}: format version {found} but this program reads {} to {}; use the version of \
         genesis that wrote it (code_version in manifest.json)", supported.0, supported.1
    )]
    Version {
        /// The manifest.
        path: PathBuf,
        /// Version found.
        found: u64,
        /// Oldest and newest version this program reads.
        supported: (u32, u32),
    },
    /// Its model is of another family than what is done with it.
    #[error(
        "{path}: a model of the family `{found}`, but this is for models of the family `{wanted}`; \
         use a command of that family (`genesis help`)"
    )]
    Family {
        /// The checkpoint.
        path: PathBuf,
        /// Its family.
        found: String,
        /// The family that is needed.
        wanted: &'static str,
    },
    /// The bytes do not have the form the format asks for.
    #[error("{path}: {reason}; use another checkpoint")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Tensors do not fit the model they are loaded into.
    #[error("{path}: {reason}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Both values and the fix.
        reason: String,
    },
}

impl CheckpointError {
    /// An [`CheckpointError::Io`], for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn malformed(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Malformed { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
