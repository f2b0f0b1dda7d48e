//! The end of an ingest of structures: E0s, plausibility, and its part of the card.
//!
//! Residuals are taken from the shards as written, so what is judged is what will be learned.

use std::path::Path;

use super::energies::Solved;
use super::plan::{StructuresIngest, ValidationChoice};
use super::plausible::Plausibility;
use super::sink::{Finished, Sink};
use super::statistics::Tally;
use crate::dataset::Split;
use crate::dataset::card::{ShardCard, SourceCard};
use crate::error::Result;
use crate::ingest::Filled;
use crate::structures::card::{AtomicEnergies, NeighborCard, Range, StructuresPart};
use crate::structures::shards::StructuresShardReader;
use genesis_schema::elements::symbol;

/// Ends the shards, solves for E0s, judges the labels, and says what the card says of structures.
pub(crate) fn describe(
    plan: &StructuresIngest,
    root: &Path,
    sink: Sink<'_>,
    sources: Vec<SourceCard>,
) -> Result<Filled<StructuresPart>> {
    let elements: Vec<u8> = sink.totals.elements.keys().copied().collect();
    let solved = sink.energies.solve(&plan.atomic_energies, &elements)?;
    let mut warnings = sink.warnings();
    warnings.extend(sink.energies.unused_atoms(&solved, &elements));
    let Finished { shards, splits, booked, totals } = sink.finish()?;
    let (residual_per_atom, judged) = judge(plan, root, &shards, &solved)?;
    warnings.extend(judged);
    let mut notes = warnings.clone();
    notes.push(origin(&solved, totals.isolated));
    let mean =
        if totals.receiving == 0 { 0.0 } else { totals.edges as f64 / totals.receiving as f64 };
    let part = StructuresPart {
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
    };
    let (files, seen) = (Vec::new(), Some(totals.seen_in_training));
    Ok(Filled { part, shards, files, sources, booked, held_out_seen_in_training: seen, notes })
}

/// What E0s leave of the energies of the training split, and what looks wrong about them.
fn judge(
    plan: &StructuresIngest,
    root: &Path,
    shards: &[ShardCard<StructuresPart>],
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

/// Where E0s come from, for people.
fn origin(solved: &Solved, isolated: u64) -> String {
    match solved.source {
        "isolated_atoms" => format!(
            "E0s are those of {isolated} structures of one isolated atom, which are not learned from"
        ),
        source => format!("E0s are by {}", source.replace('_', " ")),
    }
}
