//! From raw files to a dataset folder: what an ingest of any kind is made of.
//!
//! `inputs` (which files), `pipeline` (records to samples, in parallel, in order, by `overlap`),
//! `books` (what is counted, refused or dropped), `rejects`, [`Progress`], `output` (a folder that
//! appears whole or not at all). What a kind adds is in [`crate::sequences::ingest`] and
//! [`crate::structures::ingest`]: how a record is understood, and where samples go.

pub(crate) mod books;
mod error;
pub(crate) mod inputs;
mod output;
mod overlap;
pub(crate) mod pipeline;
mod progress;
pub(crate) mod rejects;

use std::path::Path;

use crate::error::{DataError, Result};
pub use error::IngestError;
use inputs::Source;
use output::TemporaryFolder;
pub use progress::{Progress, Silent};
pub use rejects::{REJECTS_FILE, Reject};

/// Longest record that is read into memory, 64 MiB.
pub const DEFAULT_MAX_RECORD_BYTES: u64 = 64 << 20;

/// What an ingest did.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestSummary<C> {
    /// The card of the dataset, as it lies in the output folder.
    pub card: C,
    /// SHA-256 of the card: the identity of the dataset.
    pub digest: String,
    /// The output folder held this very dataset already and was left as it was.
    pub unchanged: bool,
    /// The first rejected records.
    pub rejected: Vec<Reject>,
    /// Remarks that a user should see, such as an empty validation split.
    pub notes: Vec<String>,
}

/// Where a dataset goes and from what it is made.
pub(crate) struct Request<'r> {
    pub(crate) output: &'r Path,
    pub(crate) overwrite: bool,
    pub(crate) threads: Option<usize>,
    pub(crate) sources: &'r [Source],
    /// The options that shape the dataset.
    pub(crate) options: serde_json::Value,
}

/// What was written into the temporary folder, its card still to be saved.
pub(crate) struct Filled<C> {
    pub(crate) card: C,
    pub(crate) rejected: Vec<Reject>,
    pub(crate) notes: Vec<String>,
}

/// Makes the dataset of `request`: `fill` writes the folder it is given, `save` its card.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub(crate) fn make<C: Send>(
    request: &Request<'_>,
    fill: impl FnOnce(&Path) -> std::result::Result<Filled<C>, IngestError> + Send,
    save: fn(&C, &Path) -> Result<String>,
) -> std::result::Result<IngestSummary<C>, IngestError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(request.threads.unwrap_or(0)).build();
    let pool =
        pool.map_err(|e| DataError::invalid("threads", e.to_string(), "ask for fewer threads"))?;
    let existing = output::look(request)?;
    let temporary = TemporaryFolder::create(request.output)?;
    let Filled { card, rejected, notes } = pool.install(|| fill(temporary.path()))?;
    let digest = save(&card, temporary.path())?;
    let unchanged = temporary.settle(&existing, &digest, request.overwrite)?;
    Ok(IngestSummary { card, digest, unchanged, rejected, notes })
}
