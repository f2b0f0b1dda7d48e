//! Everything that can go wrong between a raw file and a batch of tokens.
//!
//! A message names the place, the values that disagree and the way out. Library code returns
//! these; only the command line prints them.

use std::io;
use std::path::{Path, PathBuf};

/// Shorthand used across the crate.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Failure of ingest, of a dataset folder or of a loader.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused something; a full disk is told apart.
    #[error("{}", io_message(action, path, source))]
    Io {
        /// What was attempted, as a verb: "read", "create", "write".
        action: &'static str,
        /// The file or folder it was attempted on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// Somebody asked for a stop.
    #[error("interrupted: nothing was written; run the same command again")]
    Interrupted,

    /// A raw input file holds something that ingest cannot accept.
    #[error("{}{place}: {problem}\n  fix: {fix}", path.display())]
    Input {
        /// The raw file.
        path: PathBuf,
        /// Where in it, written as it should be printed: `:12` or ` record 4`, or empty.
        place: String,
        /// What is wrong, with the values.
        problem: String,
        /// What the user can do.
        fix: String,
    },

    /// A choice of the user (an option, a plan) that cannot work.
    #[error("{what}: {problem}\n  fix: {fix}")]
    Invalid {
        /// The option or plan, by the name the user gave it.
        what: String,
        /// What is wrong, with the values.
        problem: String,
        /// What the user can do.
        fix: String,
    },

    /// A tokenizer cannot be built, loaded, or cannot encode a text.
    #[error("tokenizer {tokenizer}: {problem}\n  fix: {fix}")]
    Tokenizer {
        /// Its kind or file.
        tokenizer: String,
        /// What is wrong, with the values.
        problem: String,
        /// What the user can do.
        fix: String,
    },

    /// A folder that has no dataset in it.
    #[error(
        "{} is not a dataset folder: it has no dataset.json\n  \
         fix: make one with `genesis ingest`, or give the folder that it wrote",
        root.display()
    )]
    NotADataset {
        /// The folder that was opened.
        root: PathBuf,
    },

    /// `dataset.json` is not a card this program understands.
    #[error("{}: {problem}\n  fix: run `genesis ingest` again, or restore the file", path.display())]
    Card {
        /// Path of the card.
        path: PathBuf,
        /// What is wrong, with the values.
        problem: String,
    },

    /// Bytes on disk are not those that were written.
    #[error(
        "{}{place}: {problem}\n  fix: restore the file from a copy, or run `genesis ingest` \
         again; `genesis verify` lists every damaged file",
        path.display()
    )]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in it, written as it should be printed: ` batch 3 at byte 4096`, or empty.
        place: String,
        /// What differs, with both values.
        problem: String,
    },

    /// The Arrow writer refused a batch.
    #[error("{}: cannot write an Arrow batch: {source}", path.display())]
    Arrow {
        /// The shard being written.
        path: PathBuf,
        /// What Arrow said.
        source: arrow_schema::ArrowError,
    },

    /// A background thread of a loader stopped unexpectedly.
    #[error("loader worker failed at step {step}: {problem}\n  fix: report this with the message")]
    Worker {
        /// The training step it was preparing.
        step: u64,
        /// The panic message.
        problem: String,
    },
}

impl DataError {
    /// For `map_err`: remembers what was attempted and where.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// A user's choice that cannot work.
    pub fn invalid(
        what: impl Into<String>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::Invalid { what: what.into(), problem: problem.into(), fix: fix.into() }
    }

    /// Damage at a place of a file of the dataset.
    pub(crate) fn corrupt(
        path: &Path,
        place: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Corrupt { path: path.to_path_buf(), place: place.into(), problem: problem.into() }
    }

    /// Arrow reports a failed write as text; the error below it is brought back to [`Self::Io`].
    pub(crate) fn arrow(path: &Path, source: arrow_schema::ArrowError) -> Self {
        match source {
            arrow_schema::ArrowError::IoError(_, source) => {
                Self::Io { action: "write", path: path.to_path_buf(), source }
            }
            source => Self::Arrow { path: path.to_path_buf(), source },
        }
    }
}

fn io_message(action: &str, path: &Path, source: &io::Error) -> String {
    let shown = path.display();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
            "cannot {action} {shown}: the disk is full ({source})\n  \
             fix: free space there, or write to a folder on a larger disk"
        ),
        io::ErrorKind::NotFound => format!(
            "cannot {action} {shown}: no such file or folder\n  fix: check the path for a typo"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "cannot {action} {shown}: permission denied\n  \
             fix: change its owner or mode, or choose another folder"
        ),
        _ => format!("cannot {action} {shown}: {source}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_as_such_with_the_path() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let message =
            DataError::io("write", Path::new("/data/train-00000.arrow"))(full).to_string();
        assert!(message.contains("/data/train-00000.arrow"), "{message}");
        assert!(message.contains("disk is full"), "{message}");
    }

    #[test]
    fn a_missing_card_points_at_ingest() {
        let message = DataError::NotADataset { root: "runs".into() }.to_string();
        assert!(message.contains("runs") && message.contains("genesis ingest"), "{message}");
    }
}
