//! From raw files of structures to a dataset folder, in one streaming pass and bounded memory.
//!
//! Read in this order: [`StructuresIngest`] (what is asked for), `interpret` (records to structures
//! with labels in eV and Å), `division` (what is held out), `sink` (structures to shards),
//! `energies` (E0s), `plausible` (are these the units that were declared?), `describe` (the card).
//! The same inputs and options give the same bytes, whatever the number of threads.
//!
//! Memory: three pieces of text and their structures, a table of the hashes of structures (16
//! bytes each, twice), and for a validation set by count 24 bytes a structure in a first pass.

mod describe;
mod division;
mod energies;
mod generated;
mod interpret;
mod plan;
mod plausible;
mod read_structures;
mod sink;
mod statistics;
pub mod units;

use std::path::{Path, PathBuf};

use crate::dataset::Split;
use crate::error::Result;
pub use crate::formats::FormatChoice;
use crate::formats::{DocumentRule, Format, Opened, ReadOptions, Refusal, Unparsed, Wanted};
use crate::ingest::inputs::{self, Source, check_format};
use crate::ingest::pipeline::{self, Placed, Records};
use crate::ingest::{self, Filled, IngestError, IngestSummary, Progress, Request};
use crate::structures::StructuresCard;
use interpret::{Accepted, interpret};
pub use plan::{AtomicEnergiesChoice, Label, LabelKeys, StructuresIngest, ValidationChoice};
pub use read_structures::{Structure, read_structures};
use sink::Sink;
pub use units::{EnergyUnit, LengthUnit, StressSign, StressUnit, Units};

const WANTED: Wanted = ("structures", Format::holds_structures);

/// What an ingest of structures did.
pub type StructuresSummary = IngestSummary<StructuresCard>;

/// Reads the inputs of `plan` and writes its dataset folder.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub fn ingest_structures(
    plan: &StructuresIngest,
    progress: &dyn Progress,
) -> Result<StructuresSummary, IngestError> {
    plan.check()?;
    let sources = sources(plan)?;
    let request = Request {
        output: &plan.output,
        overwrite: plan.overwrite,
        threads: plan.threads,
        sources: &sources,
        options: plan.recorded_options()?,
    };
    ingest::make(&request, |root| fill(root, plan, &sources, progress), StructuresCard::save)
}

fn fill(
    root: &Path,
    plan: &StructuresIngest,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<Filled<StructuresCard>, IngestError> {
    let open = |source: &Source| open(source, plan);
    let records = records(sources, &open);
    let division = division::of(plan, &records, progress)?;
    progress.phase("ingest", inputs::total_bytes(sources));
    let mut sink = Sink::create(root, plan, sources, division);
    let understand = |placed| understand(placed, plan);
    let cards = pipeline::run(&records, &understand, &mut |done| sink.store(done), progress)?;
    sink.check()?;
    let (card, rejected, notes) = describe::describe(plan, root, sink, cards)?;
    Ok(Filled { card, rejected, notes })
}

/// The sources of a plan in reading order: inputs, validation, test.
fn sources(plan: &StructuresIngest) -> Result<Vec<Source>> {
    let mut sources = match &plan.generate {
        Some(generate) => vec![Source::generated(generate.name())],
        None => Vec::new(),
    };
    let validation: &[PathBuf] = match &plan.validation {
        ValidationChoice::Files { paths } => paths,
        _ => &[],
    };
    for (split, paths) in Split::ALL.into_iter().zip([&plan.inputs, validation, &plan.test]) {
        sources.extend(inputs::files(paths, split, plan.format, WANTED)?);
    }
    check_format(&sources, plan.format)?;
    Ok(sources)
}

fn open(source: &Source, plan: &StructuresIngest) -> Result<Opened<Unparsed>> {
    let max_record_bytes = plan.max_record_bytes;
    let documents = DocumentRule::default();
    let options = ReadOptions { documents, column: None, max_record_bytes };
    match (&plan.generate, source.format.and_then(|format| format.structures)) {
        (Some(generate), None) => Ok(generated::open(generate, max_record_bytes)),
        (_, open) => open.expect("formats of sources hold structures")(&source.path, &options),
    }
}

fn records<'p>(
    sources: &'p [Source],
    open: &'p (dyn Fn(&Source) -> Result<Opened<Unparsed>> + Sync),
) -> Records<'p, Unparsed> {
    Records { sources, open, per_piece: 1 << 10, noun: "structures" }
}

fn understand(
    Placed { in_file, record, .. }: Placed<Unparsed>,
    plan: &StructuresIngest,
) -> Result<Accepted, Refusal> {
    let raw = record.content.and_then(Unparsed::parse);
    raw.and_then(|raw| interpret(&raw, plan))
        .map_err(|e| Refusal::new(e.reason, format!("structure {in_file}: {}", e.detail)))
}
