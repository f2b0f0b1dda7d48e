//! From raw files to a dataset folder, in one streaming pass and bounded memory.
//!
//! Read in this order: [`SequencesIngest`] (what is asked for), `pipeline` (records to documents, in
//! parallel, in order), `sink` (documents to shards).
//! The same inputs and options give the same bytes, whatever the number of threads: records are
//! read in order, encoded in bounded chunks, and written in order.
//!
//! Memory: two chunks of text and their tokens, and 16 bytes (32 with the table's slack) for
//! every document, by which exact duplicates are found; `keep_duplicates` does without those.

pub(crate) mod generated;
mod pipeline;
mod plan;
mod sink;
mod vocabulary;

use std::path::Path;

use crate::ingest::output::{self, TemporaryFolder};
use crate::ingest::{IngestError, Progress, REJECTS_FILE, Reject, inputs};
use crate::sequences::SequencesCard;
use pipeline::ChunkReader;
pub use plan::{
    DEFAULT_MAX_RECORD_BYTES, DEFAULT_PIECE_BYTES, DocumentRule, FormatChoice, SequencesIngest,
    TokenizerChoice,
};
use sink::Sink;

/// What an ingest did.
#[derive(Debug, Clone, PartialEq)]
pub struct SequencesSummary {
    /// The card of the dataset, as it lies in the output folder.
    pub card: SequencesCard,
    /// SHA-256 of the card: the identity of the dataset.
    pub digest: String,
    /// The output folder held this very dataset already and was left as it was.
    pub unchanged: bool,
    /// The first rejected records.
    pub rejected: Vec<Reject>,
    /// Remarks that a user should see, such as an empty validation split.
    pub notes: Vec<String>,
}

/// Reads the inputs of `plan` and writes its dataset folder.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub fn ingest(
    plan: &SequencesIngest,
    progress: &dyn Progress,
) -> Result<SequencesSummary, IngestError> {
    plan.check()?;
    let pool = plan.thread_pool()?;
    pool.install(|| ingest_here(plan, progress))
}

fn ingest_here(
    plan: &SequencesIngest,
    progress: &dyn Progress,
) -> Result<SequencesSummary, IngestError> {
    let sources = inputs::sources(plan)?;
    let existing = output::look(&output::Request {
        path: &plan.output,
        overwrite: plan.overwrite,
        input_bytes: plan.generate.is_none().then(|| inputs::total_bytes(&sources)),
        options: plan.recorded_options()?,
    })?;
    let temporary = TemporaryFolder::create(&plan.output)?;
    let tokenizer = vocabulary::tokenizer(plan, &sources, progress)?;
    tokenizer.save(temporary.path())?;

    progress.phase("ingest", inputs::total_bytes(&sources));
    let mut reader = ChunkReader::new(&sources, plan);
    let mut sink = Sink::create(temporary.path(), plan, &sources, &tokenizer)?;
    pipeline::run(&mut reader, &tokenizer, plan, &mut sink, progress)?;

    let (card, rejected) = sink.finish(reader.into_cards(), plan, &sources)?;
    let digest = card.save(temporary.path())?;
    let notes = notes(&card, plan);
    let unchanged = temporary.settle(&existing, &digest, plan.overwrite)?;
    Ok(SequencesSummary { card, digest, unchanged, rejected, notes })
}

fn notes(card: &SequencesCard, plan: &SequencesIngest) -> Vec<String> {
    let mut notes = Vec::new();
    if plan.validation_fraction > 0.0 && card.splits.validation.documents == 0 {
        notes.push(format!(
            "none of the {} documents fell into the validation split (fraction {}); \
             shorter documents or a larger fraction fill it",
            card.splits.train.documents, plan.validation_fraction
        ));
    }
    if card.duplicates_dropped > 0 {
        notes.push(format!("{} exact duplicates were dropped", card.duplicates_dropped));
    }
    let rejected: u64 = card.rejects.reasons.values().sum();
    if rejected > 0 {
        notes.push(format!("{rejected} records were rejected; {REJECTS_FILE} lists them"));
    }
    notes
}

/// Whether `path` holds a dataset whose recorded options are those of `plan`: a quick look before
/// an ingest. The inputs are not compared.
pub fn is_made_by(plan: &SequencesIngest, path: &Path) -> bool {
    let Ok((card, _)) = SequencesCard::load(path) else { return false };
    plan.recorded_options().is_ok_and(|options| options == card.options)
}
