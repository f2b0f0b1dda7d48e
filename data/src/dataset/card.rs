//! The dataset card, `dataset.json`: what a dataset folder holds and how it came to be.
//! Here is what cards of every kind say; the cards themselves are in `sequences::card` and
//! `structures::card`.
//!
//! The card names every other file of the folder with its SHA-256, and `dataset.json.sha256`
//! (the format of `sha256sum`) holds the digest of the card, so one digest covers the dataset.
//! The card is written last: a folder without it is an unfinished ingest.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use crate::dataset::card_file::{DatasetKind, kind_of};
use crate::error::Result;
pub use crate::files::{sha256_of_bytes, sha256_of_file, sync_folder, write_durably};

/// Version of the card and of the shards; a reader refuses any other.
pub const SCHEMA_VERSION: u32 = 1;
/// Name of the card in a dataset folder.
pub const CARD_FILE: &str = "dataset.json";
/// Name of the file that holds the card's digest.
pub const CARD_DIGEST_FILE: &str = "dataset.json.sha256";

/// Which part of a dataset: one learns, the others are only measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Learned from.
    Train,
    /// Held out, measured while training.
    Validation,
    /// Held out, measured at the end.
    Test,
}

impl Split {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Lower-case name, as in file names and in the card.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// What was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectsCard {
    /// Rejected records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Lines of `rejects.jsonl`; lower than the sum of `reasons` when the list was cut.
    pub listed: u64,
}

/// One raw file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceCard {
    /// Path as given to the ingest.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the file as it lay on disk (compressed files: of the compressed bytes).
    pub sha256: String,
    /// Format it was read as.
    pub format: String,
    /// Records read from it, rejected ones included.
    pub records: u64,
}

/// A file of the folder with its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCard {
    /// Name inside the folder.
    pub file: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

impl FileCard {
    /// Measures the file `name` of the folder `root`.
    pub fn measure(root: &Path, name: &str) -> Result<Self> {
        let (bytes, sha256) = sha256_of_file(&root.join(name), |_| ())?;
        Ok(Self { file: name.to_owned(), bytes, sha256 })
    }
}
