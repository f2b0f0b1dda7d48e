//! The end of an ingest of structures: E0s, plausibility, and its part of the card.
//!
//! Residuals are taken from the shards as written, so what is judged is what will be learned.

use std::collections::BTreeMap;
use std::path::Path;

use super::energies::{Solved, SolvedHeads};
use super::plan::{StructuresIngest, ValidationChoice};
use super::plausible::Plausibility;
use super::sink::{Finished, Sink};
use super::slopes::Slopes;
use super::statistics::Tally;
use crate::dataset::Split;
use crate::dataset::card::{ShardCard, SourceCard};
use crate::error::Result;
use crate::ingest::Filled;
use crate::structures::card::{AtomicEnergies, HeadEnergies, NeighborCard, StructuresPart};
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
    warnings.extend(solved.warnings.iter().cloned());
    let placed = !sink.distances.are_impossible();
    let Finished { shards, splits, booked, totals } = sink.finish()?;
    let Judged { residual, plausibility, slopes } = judge(root, &shards, &solved)?;
    warnings.extend(undetermined(&solved));
    let source = solved.first.source;
    warnings.extend(plausibility.warnings(plan.units, source, slopes.tells()));
    if placed {
        warnings.extend(slopes.warnings(plan.units.energy));
    }
    let residual_per_atom = residual.range();
    let mut notes = warnings.clone();
    notes.extend(origins(&solved, totals.isolated));
    let mean = match totals.receiving {
        0 => 0.0,
        receiving => totals.counted_edges as f64 / receiving as f64,
    };
    let part = StructuresPart {
        elements: totals.elements.iter().map(|(&z, &n)| (symbol(z).to_owned(), n)).collect(),
        atomic_energies: AtomicEnergies {
            source: solved.first.source.to_owned(),
            values_ev: by_symbol(&solved.first),
            rank: solved.first.rank,
            residual_per_atom,
            heads: solved.heads.iter().map(|(name, it)| (name.clone(), of_head(it))).collect(),
        },
        splits,
        split_rule: split_rule(plan),
        neighbors: NeighborCard {
            cutoff: plan.cutoff,
            mean,
            edges: totals.edges,
            most_edges: totals.most_edges,
        },
        label_keys: totals.keys.iter().map(|(key, &n)| (key.to_string(), n)).collect(),
        warnings,
    };
    let (files, seen) = (Vec::new(), Some(totals.seen_in_training));
    Ok(Filled { part, shards, files, sources, booked, held_out_seen_in_training: seen, notes })
}

fn by_symbol(solved: &Solved) -> BTreeMap<String, f64> {
    solved.values.iter().map(|(&z, &e)| (symbol(z).to_owned(), e)).collect()
}

fn of_head(solved: &Solved) -> HeadEnergies {
    HeadEnergies {
        source: solved.source.to_owned(),
        values_ev: by_symbol(solved),
        rank: solved.rank,
    }
}

/// What the labels of the training split say together.
#[derive(Default)]
struct Judged {
    /// What E0s leave of the energies.
    residual: Tally,
    plausibility: Plausibility,
    slopes: Slopes,
}

fn judge(
    root: &Path,
    shards: &[ShardCard<StructuresPart>],
    solved: &SolvedHeads,
) -> Result<Judged> {
    let mut judged = Judged::default();
    for shard in shards.iter().filter(|shard| shard.split == Split::Train) {
        let reader = StructuresShardReader::open(root, shard)?;
        for (batch, card) in shard.batches.iter().enumerate() {
            for row in 0..usize::try_from(card.rows).expect("rows that were just written") {
                let frame = reader.frame(batch, row)?.frame;
                let energies = &solved.of(&frame.head).values;
                let atoms = frame.atomic_numbers.len();
                let alone: f64 = frame.atomic_numbers.iter().map(|z| energies[z]).sum();
                let interaction = frame.labels.energy.map(|energy| energy - alone);
                if let Some(interaction) = interaction.filter(|_| atoms > 1) {
                    let share = interaction / atoms as f64;
                    judged.residual.add(share, frame.weights.of_energy());
                }
                judged.plausibility.add(&frame, interaction);
                if frame.counts() {
                    judged.slopes.add(&frame);
                }
            }
        }
    }
    Ok(judged)
}

/// Says which E0s the data does not determine.
fn undetermined(solved: &SolvedHeads) -> Vec<String> {
    let one = |(name, solved): (String, &Solved)| {
        let elements = solved.values.len() as u64;
        let rank = solved.rank.filter(|&rank| rank < elements)?;
        Some(format!(
            "E0s by least squares{name}: {rank} combinations of {elements} elements are determined by \
             the data, the rest is the smallest solution; isolated atoms would settle it"
        ))
    };
    each(solved).into_iter().filter_map(one).collect()
}

/// The energies of every head, with ` of head ..` where there are several.
fn each(solved: &SolvedHeads) -> Vec<(String, &Solved)> {
    if solved.heads.is_empty() {
        return vec![(String::new(), &solved.first)];
    }
    let named = |(name, it)| (format!(" of head `{name}`"), it);
    solved.heads.iter().map(named).collect()
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
fn origins(solved: &SolvedHeads, isolated: u64) -> Vec<String> {
    let one = |(name, solved): (String, &Solved)| match solved.source {
        "isolated_atoms" => format!(
            "E0s{name} are those of {isolated} structures of one isolated atom, which are not learned \
             from"
        ),
        source => format!("E0s{name} are by {}", source.replace('_', " ")),
    };
    each(solved).into_iter().map(one).collect()
}
