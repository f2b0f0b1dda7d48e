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
use crate::ingest::inputs::{self, Source, check_taken};
use crate::ingest::pipeline::{self, Records};
use crate::ingest::{self, Filled, IngestError, IngestSummary, Progress, Request};
use crate::sequences::card::SequencesPart;
pub use plan::{SequencesIngest, TokenizerChoice};
use sink::Sink;

const WANTED: Wanted = ("documents", Format::holds_documents);
const NOUN: &str = "records";

/// What an ingest of documents did.
pub type SequencesSummary = IngestSummary<SequencesPart>;

/// Reads the inputs of `plan` and writes its dataset folder.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub fn ingest_sequences(
    plan: &SequencesIngest,
    progress: &dyn Progress,
) -> Result<SequencesSummary, IngestError> {
    plan.check()?;
    let (sources, options) = (sources(plan)?, plan.recorded_options()?);
    let request = Request { asked: plan.asked(), sources: &sources, options, noun: NOUN };
    ingest::make(request, |root| fill(root, plan, &sources, progress))
}

fn fill(
    root: &Path,
    plan: &SequencesIngest,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<Filled<SequencesPart>, IngestError> {
    let open = |source: &Source| open(source, plan);
    let records = Records { sources, open: &open, per_piece: 1 << 14, noun: NOUN };
    let tokenizer = vocabulary::tokenizer(plan, &records, progress)?;
    tokenizer.save(root)?;
    progress.phase("ingest", inputs::total_bytes(sources));
    let mut sink = Sink::create(root, plan, sources, &tokenizer)?;
    let understand = |placed: pipeline::Placed<Text>| {
        let text = placed.record.content?;
        document::document(&text, &tokenizer, plan.validation_fraction)
    };
    let cards = pipeline::run(&records, &understand, &mut |done| sink.store(done), progress)?;
    sink.finish(cards)
}

/// The sources of a plan; an option that none of them takes is refused.
fn sources(plan: &SequencesIngest) -> Result<Vec<Source>> {
    let (generated, inputs) = (plan.asked().generated, [(Split::Train, &*plan.inputs)]);
    let sources = inputs::sources(generated, &inputs, plan.format, WANTED)?;
    check_taken(&sources, "column", plan.column.is_some())?;
    check_taken(&sources, "documents", plan.documents != DocumentRule::default())?;
    Ok(sources)
}

fn open(source: &Source, plan: &SequencesIngest) -> Result<Opened<Text>> {
    let options = ReadOptions {
        documents: plan.documents,
        column: plan.column.as_deref(),
        max_record_bytes: plan.max_record_bytes,
        labels: None,
    };
    match (&plan.generate, source.format.and_then(|format| format.documents)) {
        (Some(generate), None) => Ok(generated::open(generate.clone())),
        (_, open) => open.expect("formats of sources hold documents")(&source.path, &options),
    }
}
