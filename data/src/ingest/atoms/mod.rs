//! From raw files of structures to a dataset folder, in one streaming pass and bounded memory.
//!
//! Read in this order: [`AtomsPlan`] (what is asked for), `sources` (which files), `read` (files to
//! records; `extxyz`, `npz`, `jsonl`, `parquet`), `interpret` (records to structures with labels
//! in eV and Å), `pipeline` (in parallel, in order), `sink` (structures to shards), `energies`
//! (E0s) and `plausible` (are these the units that were declared?).
//! The same inputs and options give the same bytes, whatever the number of threads.
//!
//! Memory: three pieces of text and their structures, a table of the hashes of structures (16
//! bytes each, twice), and for a validation set by count 24 bytes a structure in a first pass.

mod columns;
mod energies;
mod extxyz;
mod interpret;
mod jsonl;
mod npy;
mod npz;
mod parquet;
mod pipeline;
mod plan;
mod plausible;
mod read;
mod record;
mod sink;
mod sources;
mod statistics;
mod structures;
pub mod units;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use genesis_schema::Seeds;

use super::output::{self, TemporaryFolder};
use super::{IngestError, Progress, REJECTS_FILE, Reject};
use crate::card::{DatasetKind, FileCard, SCHEMA_VERSION, SourceCard};
use crate::error::{DataError, Result};
use crate::graphs::card::{AtomicEnergies, GraphCard, GraphSplit, NeighborCard};
use crate::graphs::elements::symbol;
use crate::graphs::shards::GraphShardReader;
use energies::Solved;
use pipeline::Done;
pub use plan::{AtomicEnergiesChoice, AtomsFormat, AtomsPlan, Label, LabelKeys, ValidationChoice};
use plausible::Plausibility;
use sink::{Division, Finished, Sink};
use sources::AtomsSource;
pub use structures::{Structure, read_structures};
pub use units::{EnergyUnit, LengthUnit, StressSign, StressUnit, Units};

/// Rejects that an error message shows.
const SHOWN: usize = 3;

/// What an ingest did.
#[derive(Debug, Clone, PartialEq)]
pub struct AtomsSummary {
    /// The card of the dataset, as it lies in the output folder.
    pub card: GraphCard,
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
pub fn ingest_atoms(
    plan: &AtomsPlan,
    progress: &dyn Progress,
) -> Result<AtomsSummary, IngestError> {
    plan.check()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.threads.unwrap_or(0)).build();
    let pool = pool.map_err(|e| DataError::invalid("threads", e.to_string(), "ask for fewer"))?;
    pool.install(|| ingest_here(plan, progress))
}

fn ingest_here(plan: &AtomsPlan, progress: &dyn Progress) -> Result<AtomsSummary, IngestError> {
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
    Ok(AtomsSummary { card, digest, unchanged, rejected, notes })
}

/// How the inputs are divided; a count takes a pass of its own.
fn division(
    plan: &AtomsPlan,
    sources: &[AtomsSource],
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
            let input = sources[done.source].split == GraphSplit::Train && !accepted.isolated;
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
fn check(sink: &Sink<'_>, plan: &AtomsPlan) -> Result<(), IngestError> {
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

fn describe(
    plan: &AtomsPlan,
    root: &Path,
    sink: Sink<'_>,
    sources: Vec<SourceCard>,
) -> Result<(GraphCard, Vec<Reject>, Vec<String>)> {
    let elements: Vec<u8> = sink.totals.elements.keys().copied().collect();
    let solved = sink.energies.solve(&plan.atomic_energies, &elements)?;
    let mut warnings = sink.warnings();
    let Finished { shards, splits, rejects, listed, totals } = sink.finish()?;
    let mut residual = statistics::Tally::default();
    let mut plausibility = Plausibility::default();
    for shard in shards.iter().filter(|shard| shard.split == GraphSplit::Train) {
        let reader = GraphShardReader::open(root, shard)?;
        for (batch, card) in shard.batches.iter().enumerate() {
            for row in 0..usize::try_from(card.rows).unwrap_or(0) {
                let frame = reader.frame(batch, row)?.frame;
                let Some(energy) = frame.labels.energy else { continue };
                let atoms: f64 = frame.atomic_numbers.iter().map(|z| solved.values[z]).sum();
                if frame.atomic_numbers.len() > 1 {
                    residual.add((energy - atoms) / frame.atomic_numbers.len() as f64);
                }
                plausibility.add(&frame, energy - atoms);
            }
        }
    }
    if let Some(rank) = solved.rank.filter(|&rank| rank < elements.len() as u64) {
        warnings.push(format!(
            "E0s by least squares: {rank} combinations of {} elements are determined by the data, \
             the rest is the smallest solution; isolated atoms would settle it",
            elements.len()
        ));
    }
    warnings.extend(plausibility.warnings(plan.units.energy, solved.source));
    let notes = notes(&warnings, &totals, &rejects.reasons, &solved);
    let files =
        if rejects.listed > 0 { vec![FileCard::measure(root, REJECTS_FILE)?] } else { Vec::new() };
    let mean =
        if totals.receiving == 0 { 0.0 } else { totals.edges as f64 / totals.receiving as f64 };
    let card = GraphCard {
        schema_version: SCHEMA_VERSION,
        kind: DatasetKind::Graphs,
        name: plan.shown_name(),
        description: plan.description.clone(),
        elements: totals.elements.iter().map(|(&z, &n)| (symbol(z).to_owned(), n)).collect(),
        atomic_energies: AtomicEnergies {
            source: solved.source.to_owned(),
            values_ev: solved.values.iter().map(|(&z, &e)| (symbol(z).to_owned(), e)).collect(),
            rank: solved.rank,
            residual_per_atom: residual.range(),
        },
        splits,
        split_rule: split_rule(plan),
        neighbors: NeighborCard {
            cutoff: plan.cutoff,
            mean,
            edges: totals.edges,
            most_edges: totals.most_edges,
        },
        label_keys: totals.keys,
        warnings,
        rejects,
        duplicates_dropped: totals.duplicates,
        held_out_seen_in_training: totals.seen_in_training,
        sources,
        options: plan.recorded_options()?,
        licence: plan.licence.clone(),
        classification: plan.classification.clone(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        files,
        shards,
    };
    Ok((card, listed, notes))
}

fn split_rule(plan: &AtomsPlan) -> String {
    match &plan.validation {
        ValidationChoice::Fraction { fraction } => format!(
            "xxh3-128 of elements, periodicity, cell and positions (f64, little-endian), its upper \
             half as a fraction of 2^64; below {fraction} is held out"
        ),
        ValidationChoice::Count { frames, seed } => format!(
            "the {frames} structures with the smallest words of stream `ingest/validation` of seed \
             {seed} at the number of the record"
        ),
        ValidationChoice::Files { .. } => "files named for validation".to_owned(),
    }
}

fn notes(
    warnings: &[String],
    totals: &sink::Totals,
    reasons: &BTreeMap<String, u64>,
    solved: &Solved,
) -> Vec<String> {
    let mut notes = warnings.to_vec();
    notes.push(match solved.source {
        "isolated_atoms" => format!(
            "E0s are those of {} structures of one isolated atom, which are not learned from",
            totals.isolated
        ),
        source => format!("E0s are by {}", source.replace('_', " ")),
    });
    if totals.duplicates > 0 {
        notes.push(format!("{} exact duplicates were dropped", totals.duplicates));
    }
    let rejected: u64 = reasons.values().sum();
    if rejected > 0 {
        notes.push(format!("{rejected} structures were rejected; {REJECTS_FILE} lists them"));
    }
    notes
}
