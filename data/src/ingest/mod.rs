//! From raw files to a dataset folder: what an ingest of any kind is made of.
//!
//! `plan` (what is asked), `inputs` (which files), `pipeline` (records to samples, in parallel, in
//! order, by `overlap`), `books` (what is counted, refused or dropped), `rejects`, [`Progress`],
//! `output` (a folder that appears whole or not at all). What a kind adds is in
//! [`crate::sequences::ingest`] and [`crate::structures::ingest`]: how a record is understood, and
//! where samples go.

pub(crate) mod books;
mod error;
pub(crate) mod inputs;
mod output;
mod overlap;
pub(crate) mod pipeline;
pub(crate) mod plan;
mod progress;
pub(crate) mod rejects;

use std::path::Path;

use crate::dataset::card::{Card, FileCard, Part, SCHEMA_VERSION, ShardCard, SourceCard};
use crate::error::{DataError, Result};
use books::Booked;
pub use books::Counted;
pub use error::IngestError;
use inputs::Source;
use output::TemporaryFolder;
use plan::Asked;
pub use plan::DEFAULT_MAX_RECORD_BYTES;
pub use progress::{Progress, Silent};
pub use rejects::{REJECTS_FILE, Reject};

/// What an ingest did.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestSummary<P: Part> {
    /// The card of the dataset, as it lies in the output folder.
    pub card: Card<P>,
    /// SHA-256 of the card: the identity of the dataset.
    pub digest: String,
    /// The output folder held this very dataset already and was left as it was.
    pub unchanged: bool,
    /// The first rejected records.
    pub rejected: Vec<Reject>,
    /// How many records there were, and what became of them.
    pub counted: Counted,
    /// Remarks that a user should see, such as an empty validation split.
    pub notes: Vec<String>,
}

/// Where a dataset goes and from what it is made.
pub(crate) struct Request<'r> {
    pub(crate) asked: Asked<'r>,
    pub(crate) sources: &'r [Source],
    /// The options that shape the dataset.
    pub(crate) options: serde_json::Value,
    /// What messages call records.
    pub(crate) noun: &'static str,
}

/// What was written into the temporary folder, its card still to be made.
pub(crate) struct Filled<P: Part> {
    pub(crate) part: P,
    pub(crate) shards: Vec<ShardCard<P>>,
    /// Files that only this kind has.
    pub(crate) files: Vec<&'static str>,
    pub(crate) sources: Vec<SourceCard>,
    pub(crate) booked: Booked,
    pub(crate) held_out_seen_in_training: Option<u64>,
    pub(crate) notes: Vec<String>,
}

/// Makes the dataset of `request`: `fill` writes the folder it is given.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub(crate) fn make<P: Part>(
    request: Request<'_>,
    fill: impl FnOnce(&Path) -> Result<Filled<P>, IngestError> + Send,
) -> Result<IngestSummary<P>, IngestError> {
    let Asked { output, overwrite, threads, .. } = request.asked;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build();
    let pool =
        pool.map_err(|e| DataError::invalid("threads", e.to_string(), "ask for fewer threads"))?;
    let existing = output::look(&request)?;
    let temporary = TemporaryFolder::create(output)?;
    let filled = pool.install(|| fill(temporary.path()))?;
    let (noun, counted) = (request.noun, filled.booked.counted);
    let (card, rejected, mut notes) = describe(request, filled, temporary.path())?;
    notes.extend(remarks(&card, &counted, noun));
    let digest = card.save(temporary.path())?;
    let unchanged = temporary.settle(&existing, &digest, overwrite)?;
    Ok(IngestSummary { card, digest, unchanged, rejected, counted, notes })
}

/// The card of what was written to `root`, what was refused, and the remarks of its kind.
fn describe<P: Part>(
    Request { asked, options, .. }: Request<'_>,
    filled: Filled<P>,
    root: &Path,
) -> Result<(Card<P>, Vec<Reject>, Vec<String>)> {
    let Booked { rejects, listed, counted } = filled.booked;
    let files = filled.files.into_iter().chain((rejects.listed > 0).then_some(REJECTS_FILE));
    let card = Card {
        schema_version: SCHEMA_VERSION,
        kind: P::KIND.into(),
        name: asked.shown_name(),
        description: asked.description.to_owned(),
        part: filled.part,
        rejects,
        duplicates_dropped: counted.duplicates,
        held_out_seen_in_training: filled.held_out_seen_in_training,
        sources: filled.sources,
        options,
        licence: asked.licence.map(str::to_owned),
        classification: asked.classification.map(str::to_owned),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        files: files.map(|name| FileCard::measure(root, name)).collect::<Result<_>>()?,
        shards: filled.shards,
    };
    Ok((card, listed, filled.notes))
}

/// What a user should know of samples that are not in the dataset as they were in the files.
fn remarks<P: Part>(card: &Card<P>, counted: &Counted, noun: &str) -> Vec<String> {
    let mut remarks = Vec::new();
    if counted.duplicates > 0 {
        remarks.push(format!("{} exact duplicates were dropped", counted.duplicates));
    }
    if counted.rejected > 0 {
        let percent = 100.0 * counted.rejected_bytes as f64 / counted.bytes.max(1) as f64;
        remarks.push(format!(
            "{} {noun} were rejected, {percent:.2} % of what all hold; {REJECTS_FILE} lists {}",
            counted.rejected, card.rejects.listed
        ));
    }
    if counted.cut > 0 {
        remarks.push(format!(
            "{} {noun} longer than max_record_bytes were cut into {} pieces, each a sample",
            counted.cut, counted.pieces
        ));
    }
    remarks
}
