//! The dataset card, `dataset.json`: what a dataset folder holds and how it came to be.
//!
//! What cards of every kind say is a field here; what one kind says of its samples is its
//! [`Part`], in `sequences::card` and `structures::card`. On disk the two lie side by side, in the
//! order of the fields.
//!
//! The card names every other file of the folder with its SHA-256, and `dataset.json.sha256`
//! (the format of `sha256sum`) holds the digest of the card, so one digest covers the dataset.
//! The card is written last: a folder without it is an unfinished ingest.
//! Not here: the card as a file (`card_file`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::dataset::card_file::{goes_unsaid, unsaid};
use crate::error::Result;
pub use crate::files::{sha256_of_bytes, sha256_of_file, sync_folder, write_durably};

/// Version of the card and of the shards; a reader refuses any other.
pub const SCHEMA_VERSION: u32 = 1;
/// Name of the card in a dataset folder.
pub const CARD_FILE: &str = "dataset.json";
/// Name of the file that holds the card's digest.
pub const CARD_DIGEST_FILE: &str = "dataset.json.sha256";

/// What a dataset is: counts, statistics, files with digests, provenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Card<P: Part> {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// What the samples are, always [`Part::KIND`].
    #[serde(default = "unsaid", skip_serializing_if = "goes_unsaid")]
    pub kind: Cow<'static, str>,
    /// Short name.
    pub name: String,
    /// A sentence or more for people.
    pub description: String,
    /// What its kind says of the samples: counts of each split, and how they were divided.
    #[serde(flatten)]
    pub part: P,
    /// What was refused.
    pub rejects: RejectsCard,
    /// Samples dropped because an equal one came before.
    pub duplicates_dropped: u64,
    /// Held-out samples that resemble one of training; they stay. Only some kinds count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_seen_in_training: Option<u64>,
    /// The raw files; a sample's `source` column is an index into this list.
    pub sources: Vec<SourceCard>,
    /// The options of the ingest, as given.
    pub options: serde_json::Value,
    /// Licence of the data, if stated.
    pub licence: Option<String>,
    /// Handling classification, if stated.
    pub classification: Option<String>,
    /// Version of the program that wrote the dataset.
    pub code_version: String,
    /// Every file of the folder that is neither a shard nor the card.
    pub files: Vec<FileCard>,
    /// The shards; those of one split are read in this order.
    pub shards: Vec<ShardCard<P>>,
}

/// What one kind of dataset says of its samples, and the words it has for them.
pub trait Part:
    Debug + Clone + PartialEq + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// What cards call the kind; it never changes.
    const KIND: &'static str;
    /// What people call samples, and what these are made of.
    const NOUNS: [&'static str; 2];
    /// Whether it counts held-out samples that resemble one of training.
    const COUNTS_SEEN: bool;
    /// How many samples, under their name on disk.
    type Samples: Count;
    /// How many tokens or atoms, under their name on disk.
    type Units: Count;

    /// Samples of a split, and what these are made of, as the card says.
    fn stated(&self, split: Split) -> (u64, u64);

    /// What is wrong with it on its own.
    ///
    /// # Errors
    /// What is wrong, with the values.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A number that has a name of its own on disk.
pub trait Count: Debug + Copy + Eq + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Of this many.
    fn of(number: u64) -> Self;
    /// How many.
    fn get(self) -> u64;
}

/// Declares a [`Count`]: its type, and its name on disk.
macro_rules! count {
    ($(#[$meta:meta])* $type:ident, $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct $type {
            $(#[$meta])*
            pub $name: u64,
        }

        impl crate::dataset::card::Count for $type {
            fn of($name: u64) -> Self {
                Self { $name }
            }

            fn get(self) -> u64 {
                self.$name
            }
        }
    };
}
pub(crate) use count;

/// One shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct ShardCard<P: Part> {
    /// Name inside the folder.
    pub file: String,
    /// The split it belongs to.
    pub split: Split,
    /// Samples in it.
    #[serde(flatten)]
    pub samples: P::Samples,
    /// What these are made of.
    #[serde(flatten)]
    pub units: P::Units,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its record batches in order.
    pub batches: Vec<BatchCard<P>>,
}

impl<P: Part> ShardCard<P> {
    /// The shard as a file.
    pub(crate) fn as_file(&self) -> FileCard {
        FileCard { file: self.file.clone(), bytes: self.bytes, sha256: self.sha256.clone() }
    }
}

/// One record batch of a shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct BatchCard<P: Part> {
    /// Samples in it.
    pub rows: u64,
    /// What these are made of.
    #[serde(flatten)]
    pub units: P::Units,
    /// First byte of its message in the file.
    pub offset: u64,
    /// Length of its message: metadata and body.
    pub bytes: u64,
    /// xxh3-64 of these bytes, sixteen hexadecimal digits.
    pub xxh3: String,
}

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

/// Samples by size, as `{"3": 20}`. Among fields that lie side by side serde reads the keys of a
/// table as text, so the numbers are made here.
pub(crate) fn read_histogram<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<u64, u64>, D::Error> {
    let number = |key: &str| {
        let wrong = |e| serde::de::Error::custom(format!("`{key}` is not a size: {e}"));
        key.parse::<u64>().map_err(wrong)
    };
    let counts = BTreeMap::<String, u64>::deserialize(from)?;
    counts.into_iter().map(|(key, count)| Ok((number(&key)?, count))).collect()
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
