//! From raw files of structures to a dataset folder, in one streaming pass and bounded memory.
//!
//! Read in this order: [`StructuresIngest`] (what is asked for), `sources` (which files), `read` (files to
//! records; `extxyz`, `npz`, `jsonl`, `parquet`), `interpret` (records to structures with labels
//! in eV and Å), `pipeline` (in parallel, in order), `sink` (structures to shards), `energies`
//! (E0s) and `plausible` (are these the units that were declared?).
//! The same inputs and options give the same bytes, whatever the number of threads.
//!
//! Memory: three pieces of text and their structures, a table of the hashes of structures (16
//! bytes each, twice), and for a validation set by count 24 bytes a structure in a first pass.

mod describe;
mod energies;
mod interpret;
mod pipeline;
mod plan;
mod plausible;
pub(crate) mod read;
mod read_structures;
mod sink;
mod sources;
mod statistics;
pub mod units;

use std::collections::HashSet;

use genesis_schema::Seeds;

use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::ingest::output::{self, TemporaryFolder};
use crate::ingest::{IngestError, Progress, Reject};
use crate::structures::card::StructuresCard;
use describe::describe;
use pipeline::Done;
pub use plan::{
    AtomicEnergiesChoice, Label, LabelKeys, StructuresFormat, StructuresIngest, ValidationChoice,
};
pub use read_structures::{Structure, read_structures};
use sink::{Division, Sink};
use sources::StructuresSource;
pub use units::{EnergyUnit, LengthUnit, StressSign, StressUnit, Units};

/// Rejects that an error message shows.
const SHOWN: usize = 3;

/// What an ingest did.
#[derive(Debug, Clone, PartialEq)]
pub struct StructuresSummary {
    /// The card of the dataset, as it lies in the output folder.
    pub card: StructuresCard,
    /// SHA-256 of the card: the identity of the dataset.
    pub digest: String,
    /// The output folder held this very dataset already and was left as it was.
    pub unchanged: bool,
    /// The first rejected records.
    pub rejected: Vec<Reject>,
    /// Remarks that a user should see: the warnings of the card, and counts.
    pub notes: Vec<String>,
}

/// Reads the inputs of `plan` and writes its dataset folder.
///
/// # Errors
/// [`IngestError`]; the output folder is then as it was before, and no temporary folder remains.
pub fn ingest_structures(
    plan: &StructuresIngest,
    progress: &dyn Progress,
) -> Result<StructuresSummary, IngestError> {
    plan.check()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.threads.unwrap_or(0)).build();
    let pool = pool.map_err(|e| DataError::invalid("threads", e.to_string(), "ask for fewer"))?;
    pool.install(|| ingest_here(plan, progress))
}

fn ingest_here(
    plan: &StructuresIngest,
    progress: &dyn Progress,
) -> Result<StructuresSummary, IngestError> {
    let sources = sources::sources(plan)?;
    let input_bytes = sources.iter().map(|source| source.bytes).sum();
    let existing = output::look(&output::Request {
        path: &plan.output,
        overwrite: plan.overwrite,
        input_bytes: plan.generate.is_none().then_some(input_bytes),
        options: plan.recorded_options()?,
    })?;
    let temporary = TemporaryFolder::create(&plan.output)?;
    let division = division(plan, &sources, progress)?;
    progress.phase("ingest", input_bytes);
    let mut sink = Sink::create(temporary.path(), plan, &sources, division);
    let mut store = |piece| sink.store(piece);
    let cards = pipeline::run(&sources, plan, progress, &mut store)?;
    check(&sink, plan)?;
    let (card, rejected, notes) = describe(plan, temporary.path(), sink, cards)?;
    let digest = card.save(temporary.path())?;
    let unchanged = temporary.settle(&existing, &digest, plan.overwrite)?;
    Ok(StructuresSummary { card, digest, unchanged, rejected, notes })
}

/// How the inputs are divided; a count takes a pass of its own.
fn division(
    plan: &StructuresIngest,
    sources: &[StructuresSource],
    progress: &dyn Progress,
) -> Result<Division> {
    let (frames, seed) = match plan.validation {
        ValidationChoice::Fraction { fraction } => return Ok(Division::Fraction(fraction)),
        ValidationChoice::Files { .. } => return Ok(Division::Nothing),
        ValidationChoice::Count { frames, seed } => (frames, seed),
    };
    progress.phase("choose validation", sources.iter().map(|source| source.bytes).sum());
    let stream = Seeds::new(seed).stream("ingest/validation");
    let mut seen = HashSet::new();
    let mut drawn: Vec<(u64, u64)> = Vec::new();
    let mut draw = |piece: Vec<Done>| {
        for done in piece {
            let Ok(accepted) = done.outcome else { continue };
            let input = sources[done.source].split == Split::Train && !accepted.isolated;
            if input && (plan.keep_duplicates || seen.insert(accepted.identity)) {
                drawn.push((stream.word(done.number, 0), done.number));
            }
        }
        Ok(())
    };
    pipeline::run(sources, plan, progress, &mut draw)?;
    if frames >= drawn.len() as u64 {
        return Err(DataError::invalid(
            "validation.frames",
            format!("{frames} of {} structures would be held out", drawn.len()),
            "leave some to train on",
        ));
    }
    drawn.sort_unstable();
    let held_out = usize::try_from(frames).expect("fewer than there are");
    Ok(Division::Numbers(drawn[..held_out].iter().map(|&(_, number)| number).collect()))
}

/// Refuses a dataset made of rejects, without labels, or without anything to train on.
fn check(sink: &Sink<'_>, plan: &StructuresIngest) -> Result<(), IngestError> {
    let (rejected, total) = (sink.rejects.total(), sink.totals.records);
    let limit = plan.max_reject_fraction;
    if rejected == total || rejected as f64 > limit * total as f64 {
        let listed = sink.rejects.listed();
        let first = listed[..listed.len().min(SHOWN)].to_vec();
        return Err(IngestError::Rejected { rejected, total, limit, first, hint: None });
    }
    if sink.num_train() == 0 {
        return Err(IngestError::NothingToTrainOn { documents: sink.num_held_out() });
    }
    Ok(sink.check_labels()?)
}
