//! From raw files to a dataset of tokens, in one streaming pass and bounded memory.
//!
//! Read in this order: [`SequencesIngest`] (what is asked for), `vocabulary` (the tokenizer),
//! `document` (records to documents), `sink` (documents to shards).
//! The same inputs and options give the same bytes, whatever the number of threads.
//!
//! Memory: three pieces of text and their tokens, and 16 bytes (32 with the table's slack) for
//! every document, by which exact duplicates are found; `keep_duplicates` does without those.

mod document;
mod generated;
mod plan;
mod sink;
mod vocabulary;

use std::path::Path;

use crate::dataset::Split;
use crate::error::Result;
pub use crate::formats::{DEFAULT_PIECE_BYTES, DocumentRule, FormatChoice};
use crate::formats::{Format, Opened, ReadOptions, Text, Wanted};
use crate::ingest::inputs::{self, Source, check_format, check_taken};
use crate::ingest::pipeline::{self, Records};
use crate::ingest::{self, Filled, IngestError, IngestSummary, Progress, REJECTS_FILE, Request};
use crate::sequences::SequencesCard;
pub use plan::{SequencesIngest, TokenizerChoice};
use sink::Sink;

const WANTED: Wanted = ("documents", Format::holds_documents);

/// What an ingest of documents did.
pub type SequencesSummary = IngestSummary<SequencesCard>;

/// Reads the inputs of `plan` and writes its dataset folder.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub fn ingest_sequences(
    plan: &SequencesIngest,
    progress: &dyn Progress,
) -> Result<SequencesSummary, IngestError> {
    plan.check()?;
    let sources = sources(plan)?;
    let request = Request {
        output: &plan.output,
        overwrite: plan.overwrite,
        threads: plan.threads,
        sources: &sources,
        options: plan.recorded_options()?,
    };
    ingest::make(&request, |root| fill(root, plan, &sources, progress), SequencesCard::save)
}

fn fill(
    root: &Path,
    plan: &SequencesIngest,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<Filled<SequencesCard>, IngestError> {
    let open = |source: &Source| open(source, plan);
    let records = Records { sources, open: &open, per_piece: 1 << 14, noun: "records" };
    let tokenizer = vocabulary::tokenizer(plan, &records, progress)?;
    tokenizer.save(root)?;
    progress.phase("ingest", inputs::total_bytes(sources));
    let mut sink = Sink::create(root, plan, sources, &tokenizer)?;
    let understand = |placed: pipeline::Placed<Text>| {
        let text = placed.record.content?;
        document::document(&text, &tokenizer, plan.validation_fraction)
    };
    let cards = pipeline::run(&records, &understand, &mut |done| sink.store(done), progress)?;
    let (card, rejected) = sink.finish(cards)?;
    let notes = notes(&card, plan);
    Ok(Filled { card, rejected, notes })
}

/// The sources of a plan in reading order; an option that none of them takes is refused.
fn sources(plan: &SequencesIngest) -> Result<Vec<Source>> {
    let mut sources = match &plan.generate {
        Some(generate) => vec![Source::generated(generate.name())],
        None => Vec::new(),
    };
    sources.extend(inputs::files(&plan.inputs, Split::Train, plan.format, WANTED)?);
    check_format(&sources, plan.format)?;
    check_taken(&sources, "column", plan.column.is_some())?;
    check_taken(&sources, "documents", plan.documents != DocumentRule::default())?;
    Ok(sources)
}

fn open(source: &Source, plan: &SequencesIngest) -> Result<Opened<Text>> {
    let options = ReadOptions {
        documents: plan.documents,
        column: plan.column.as_deref(),
        max_record_bytes: plan.max_record_bytes,
    };
    match (&plan.generate, source.format.and_then(|format| format.documents)) {
        (Some(generate), None) => Ok(generated::open(generate.clone())),
        (_, open) => open.expect("formats of sources hold documents")(&source.path, &options),
    }
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
