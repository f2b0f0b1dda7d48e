//! The end of an ingest of structures: E0s, plausibility, and the card.
//!
//! Residuals are taken from the shards as written, so what is judged is what will be learned.

use std::collections::BTreeMap;
use std::path::Path;

use super::energies::Solved;
use super::plan::{StructuresIngest, ValidationChoice};
use super::plausible::Plausibility;
use super::sink::{Finished, Sink, Totals};
use super::statistics::Tally;
use crate::dataset::DatasetKind;
use crate::dataset::Split;
use crate::dataset::card::{FileCard, SCHEMA_VERSION, SourceCard};
use crate::error::Result;
use crate::ingest::{REJECTS_FILE, Reject};
use crate::structures::card::{
    AtomicEnergies, NeighborCard, Range, StructuresCard, StructuresShardCard,
};
use crate::structures::shards::StructuresShardReader;
use genesis_schema::elements::symbol;

/// Ends the shards, solves for E0s and judges the labels; the card, what was refused, and remarks.
pub(crate) fn describe(
    plan: &StructuresIngest,
    root: &Path,
    sink: Sink<'_>,
    sources: Vec<SourceCard>,
) -> Result<(StructuresCard, Vec<Reject>, Vec<String>)> {
    let elements: Vec<u8> = sink.totals.elements.keys().copied().collect();
    let solved = sink.energies.solve(&plan.atomic_energies, &elements)?;
    let mut warnings = sink.warnings();
    warnings.extend(sink.energies.unused_atoms(&solved, &elements));
    let Finished { shards, splits, rejects, listed, duplicates, totals } = sink.finish()?;
    let (residual_per_atom, judged) = judge(plan, root, &shards, &solved)?;
    warnings.extend(judged);
    let notes = notes(&warnings, (&totals, duplicates), &rejects.reasons, &solved);
    let files =
        if rejects.listed > 0 { vec![FileCard::measure(root, REJECTS_FILE)?] } else { Vec::new() };
    let mean =
        if totals.receiving == 0 { 0.0 } else { totals.edges as f64 / totals.receiving as f64 };
    let card = StructuresCard {
        schema_version: SCHEMA_VERSION,
        kind: DatasetKind::Structures,
        name: plan.shown_name(),
        description: plan.description.clone(),
        elements: totals.elements.iter().map(|(&z, &n)| (symbol(z).to_owned(), n)).collect(),
        atomic_energies: AtomicEnergies {
            source: solved.source.to_owned(),
            values_ev: solved.values.iter().map(|(&z, &e)| (symbol(z).to_owned(), e)).collect(),
            rank: solved.rank,
            residual_per_atom,
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
        duplicates_dropped: duplicates,
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

/// What E0s leave of the energies of the training split, and what looks wrong about them.
fn judge(
    plan: &StructuresIngest,
    root: &Path,
    shards: &[StructuresShardCard],
    solved: &Solved,
) -> Result<(Range, Vec<String>)> {
    let mut residual = Tally::default();
    let mut plausibility = Plausibility::default();
    for shard in shards.iter().filter(|shard| shard.split == Split::Train) {
        let reader = StructuresShardReader::open(root, shard)?;
        for (batch, card) in shard.batches.iter().enumerate() {
            for row in 0..usize::try_from(card.rows).expect("rows that were just written") {
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
    let mut warnings = Vec::new();
    let elements = solved.values.len() as u64;
    if let Some(rank) = solved.rank.filter(|&rank| rank < elements) {
        warnings.push(format!(
            "E0s by least squares: {rank} combinations of {elements} elements are determined by \
             the data, the rest is the smallest solution; isolated atoms would settle it"
        ));
    }
    warnings.extend(plausibility.warnings(plan.units.energy, solved.source));
    Ok((residual.range(), warnings))
}

fn split_rule(plan: &StructuresIngest) -> String {
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
    (totals, duplicates): (&Totals, u64),
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
    if duplicates > 0 {
        notes.push(format!("{duplicates} exact duplicates were dropped"));
    }
    let rejected: u64 = reasons.values().sum();
    if rejected > 0 {
        notes.push(format!("{rejected} structures were rejected; {REJECTS_FILE} lists them"));
    }
    notes
}
