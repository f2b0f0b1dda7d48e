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
pub use crate::formats::{DEFAULT_PIECE_BYTES, DocumentRule, FormatChoice, LongRecords, Quotes};
use crate::formats::{Format, Opened, ReadOptions, Text, Wanted};
use crate::ingest::inputs::{self, Source, check_taken};
use crate::ingest::pipeline::{self, Records};
use crate::ingest::{self, Filled, IngestError, IngestSummary, Progress, Request};
use crate::sequences::card::SequencesPart;
use crate::sequences::letters::Letters;
pub(in crate::sequences) use document::identity;
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
    let letters = Letters::of(&plan.letters, &tokenizer)?;
    tokenizer.save(root)?;
    progress.phase("ingest", inputs::total_bytes(sources));
    let mut sink = Sink::create(root, plan, sources, (&tokenizer, letters))?;
    let understand = |placed: pipeline::Placed<Text>| {
        let (cut, text) = (placed.record.cut, placed.record.content?);
        document::document(&text, cut, (&tokenizer, letters), plan.validation_fraction)
    };
    let (cards, notes) =
        pipeline::run(&records, &understand, &mut |done| sink.store(done), progress)?;
    let mut filled = sink.finish(cards)?;
    filled.notes.splice(0..0, notes);
    Ok(filled)
}

/// The sources of a plan; an option that none of them takes is refused.
fn sources(plan: &SequencesIngest) -> Result<Vec<Source>> {
    let (generated, inputs) = (plan.asked().generated, [(Split::Train, &*plan.inputs)]);
    let sources = inputs::sources(generated, &inputs, plan.format, WANTED)?;
    let takes = |source: &Source| source.format.is_some_and(|it| it.takes.contains(&"documents"));
    if sources.iter().any(takes) {
        plan.check_pieces()?;
    }
    check_taken(&sources, "column", plan.column.is_some())?;
    check_taken(&sources, "header", plan.header.is_some())?;
    check_taken(&sources, "quotes", plan.quotes.is_some())?;
    check_taken(&sources, "long_records", plan.long_records.is_some())?;
    check_taken(&sources, "documents", plan.documents != DocumentRule::default())?;
    Ok(sources)
}

fn open(source: &Source, plan: &SequencesIngest) -> Result<Opened<Text>> {
    let options = ReadOptions {
        documents: plan.documents,
        column: plan.column.as_deref(),
        header: plan.header,
        quotes: plan.quotes,
        long: plan.long_records(),
        ..ReadOptions::new(plan.max_record_bytes)
    };
    match (&plan.generate, source.format.and_then(|format| format.documents)) {
        (Some(generate), None) => Ok(generated::open(generate.clone())),
        (_, open) => open.expect("formats of sources hold documents")(&source.path, &options),
    }
}
