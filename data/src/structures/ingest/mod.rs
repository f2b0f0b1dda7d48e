//! From raw files of structures to a dataset folder, in one streaming pass and bounded memory.
//!
//! Read in this order: [`StructuresIngest`] (what is asked for), `interpret` (records to structures
//! with labels in eV and Å, by `labels` and `stated_units`), `division` (what is held out), `sink`
//! (structures to shards), `energies` (E0s), `plausible` (are these the units that were declared?),
//! `slopes` (do energies, forces and stress belong together?), `distances`, `repeats`, `describe` (the
//! card). The same inputs and options give the same bytes, whatever the number of threads.
//!
//! Memory: three pieces of text and their structures, tables of the hashes of structures (100 bytes
//! each), and for a validation set by count 24 bytes a structure in a first pass.

mod describe;
mod distances;
mod division;
mod energies;
mod generated;
mod interpret;
mod labels;
mod plan;
mod plausible;
mod read_structures;
mod repeats;
mod sink;
mod slopes;
mod stated_units;
mod statistics;
pub mod units;

use std::path::{Path, PathBuf};

use crate::dataset::Split;
use crate::error::Result;
pub use crate::formats::FormatChoice;
use crate::formats::{Format, Opened, ReadOptions, Refusal, Unparsed, Wanted};
use crate::ingest::inputs::{self, Source};
use crate::ingest::pipeline::{self, Placed, Records};
use crate::ingest::{self, Filled, IngestError, IngestSummary, Progress, Request};
use crate::structures::card::StructuresPart;
use interpret::{Accepted, interpret};
pub use plan::{AtomicEnergiesChoice, Label, LabelKeys, StructuresIngest, ValidationChoice};
pub use read_structures::{Structure, read_each_structure, read_structures};
use sink::Sink;
pub use stated_units::{UNITS, UNITS_KEY};
pub use units::{EnergyUnit, LengthUnit, StatedUnits, StressSign, StressUnit, Units};

const WANTED: Wanted = ("structures", Format::holds_structures);
const NOUN: &str = "structures";

/// What an ingest of structures did.
pub type StructuresSummary = IngestSummary<StructuresPart>;

/// Reads the inputs of `plan` and writes its dataset folder.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub fn ingest_structures(
    plan: &StructuresIngest,
    progress: &dyn Progress,
) -> Result<StructuresSummary, IngestError> {
    plan.check()?;
    let (sources, options) = (sources(plan)?, plan.recorded_options()?);
    let request = Request { asked: plan.asked(), sources: &sources, options, noun: NOUN };
    ingest::make(request, |root| fill(root, plan, &sources, progress))
}

fn fill(
    root: &Path,
    plan: &StructuresIngest,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<Filled<StructuresPart>, IngestError> {
    let open = |source: &Source| open(source, plan);
    let records = records(sources, &open);
    let division = division::of(plan, &records, progress)?;
    progress.phase("ingest", inputs::total_bytes(sources));
    let mut sink = Sink::create(root, plan, sources, division);
    let understand = |placed| understand(placed, plan);
    let (cards, notes) =
        pipeline::run(&records, &understand, &mut |done| sink.store(done), progress)?;
    sink.check(&cards)?;
    let mut filled = describe::describe(plan, root, sink, cards)?;
    filled.notes.extend(notes);
    Ok(filled)
}

/// The sources of a plan: inputs, validation, test.
fn sources(plan: &StructuresIngest) -> Result<Vec<Source>> {
    let validation: &[PathBuf] = match &plan.validation {
        ValidationChoice::Files { paths } => paths,
        _ => &[],
    };
    let lists = [
        (Split::Train, &*plan.inputs),
        (Split::Validation, validation),
        (Split::Test, &*plan.test),
    ];
    inputs::sources(plan.asked().generated, &lists, plan.format, WANTED)
}

fn open(source: &Source, plan: &StructuresIngest) -> Result<Opened<Unparsed>> {
    let options = ReadOptions::new(plan.max_record_bytes);
    match (&plan.generate, source.format.and_then(|format| format.structures)) {
        (Some(generate), None) => Ok(generated::open(generate, plan.max_record_bytes)),
        (_, open) => open.expect("formats of sources hold structures")(&source.path, &options),
    }
}

fn records<'p>(
    sources: &'p [Source],
    open: &'p (dyn Fn(&Source) -> Result<Opened<Unparsed>> + Sync),
) -> Records<'p, Unparsed> {
    Records { sources, open, per_piece: 1 << 10, noun: NOUN }
}

fn understand(
    Placed { in_file, record, .. }: Placed<Unparsed>,
    plan: &StructuresIngest,
) -> Result<Accepted, Refusal> {
    let raw = record.content.and_then(Unparsed::parse);
    raw.and_then(|raw| interpret(&raw, plan))
        .map_err(|e| Refusal::new(e.reason, format!("structure {in_file}: {}", e.detail)))
}
