//! Structures to shards, in order, everything counted.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::distances::DistanceTally;
use super::division::Division;
use super::energies::EnergySums;
use super::interpret::{Accepted, is_marked};
use super::labels::{Conflict, FoundKey, Quantity};
use super::plan::{Label, StructuresIngest};
use super::repeats::Repeats;
use super::statistics::SplitTally;
use crate::dataset::Split;
use crate::dataset::card::{ShardCard, SourceCard};
use crate::error::{DataError, Result};
use crate::ingest::IngestError;
use crate::ingest::books::{Booked, Books};
use crate::ingest::inputs::Source;
use crate::ingest::pipeline::Done;
use crate::structures::card::{StructuresPart, StructuresSplits};
use crate::structures::shards::{StoredFrame, StructuresShardLimits, StructuresShardWriter};
use genesis_schema::elements::symbol;

/// Keys that are kept for messages.
const MOST_KEYS: usize = 64;

pub(super) struct Sink<'p> {
    plan: &'p StructuresIngest,
    sources: &'p [Source],
    root: PathBuf,
    division: Division,
    writers: [StructuresShardWriter; 3],
    tallies: [SplitTally; 3],
    pub(super) totals: Totals,
    books: Books<'p>,
    pub(super) energies: EnergySums,
    pub(super) distances: DistanceTally,
    repeats: Repeats,
    /// Only asked whether it holds a structure, never walked: its order reaches no result.
    learned: HashSet<u128>,
}

/// What is counted over all splits.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) isolated: u64,
    /// Those in periodic boxes that nothing but their being alone tells, and those without weight.
    unmarked: u64,
    weightless: u64,
    /// Single atoms that are neither free nor bound, and the least distance to their images, Å.
    nearly_isolated: (u64, f64),
    pub(super) seen_in_training: u64,
    /// Atoms by atomic number.
    pub(super) elements: BTreeMap<u8, u64>,
    pub(super) train_elements: BTreeMap<u8, u64>,
    pub(super) keys: BTreeMap<FoundKey, u64>,
    /// Keys of structures that lack a label.
    other_keys: BTreeMap<String, u64>,
    /// Structures whose file states units, by what it says.
    units_told: BTreeMap<String, u64>,
    /// Structures whose forces are zero without a reason, and the place of the first.
    zero_forces: (u64, Option<(usize, u64)>),
    /// By label: structures that should have it, and that do.
    pub(super) labels: BTreeMap<Label, (u64, u64)>,
    pub(super) edges: u64,
    /// Edges of structures that have a weight, and their atoms that receive any.
    pub(super) counted_edges: u64,
    pub(super) receiving: u64,
    pub(super) most_edges: u64,
}

impl<'p> Sink<'p> {
    pub(super) fn create(
        root: &Path,
        plan: &'p StructuresIngest,
        sources: &'p [Source],
        division: Division,
    ) -> Self {
        let mut limits = StructuresShardLimits::default();
        limits.shard_bytes = plan.max_shard_bytes.unwrap_or(limits.shard_bytes);
        Self {
            plan,
            sources,
            root: root.to_path_buf(),
            division,
            writers: Split::ALL.map(|split| StructuresShardWriter::create(root, split, limits)),
            tallies: Default::default(),
            totals: Totals::default(),
            books: Books::new(sources, plan.keep_duplicates),
            energies: EnergySums::default(),
            distances: DistanceTally::default(),
            repeats: Repeats::default(),
            learned: HashSet::new(),
        }
    }

    pub(super) fn store(&mut self, done: Vec<Done<Accepted>>) -> Result<()> {
        for done in done {
            let number = done.number;
            let (entry, outcome) = done.into_entry();
            if let Some(accepted) = self.books.enter(&entry, outcome) {
                self.push(accepted, (entry.source, number, entry.line))?;
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        accepted: Accepted,
        (source, number, line): (usize, u64, u64),
    ) -> Result<()> {
        let given = self.sources[source].split;
        if let Some(Conflict { problem, fix }) = accepted.conflicts.first() {
            let place = format!("{}:{line}", self.sources[source].shown());
            return Err(DataError::invalid(place, problem, fix));
        }
        if accepted.isolated {
            self.isolated(&accepted, given);
            return Ok(());
        }
        if given == Split::Train && !self.books.is_new(accepted.identity) {
            return Ok(());
        }
        let held_out = given == Split::Train && self.division.holds_out(number, accepted.geometry);
        let split = if held_out { Split::Validation } else { given };
        self.look(&accepted, (source, line));
        self.count(&accepted, split);
        self.tallies[split as usize].add(&accepted.frame);
        let source = u32::try_from(source).expect("fewer than 2^32 files");
        let stored = StoredFrame { frame: accepted.frame, id: number, source, line };
        self.writers[split as usize].push(stored)
    }

    /// Isolated atoms of test files do not shape a model, nor do those without weight.
    fn isolated(&mut self, accepted: &Accepted, given: Split) {
        let (frame, totals) = (&accepted.frame, &mut self.totals);
        totals.isolated += 1;
        let in_a_box = frame.periodic.contains(&true) && !is_marked(frame);
        totals.unmarked += u64::from(in_a_box);
        match frame.labels.energy {
            Some(_) if frame.weights.of_energy() <= 0.0 => totals.weightless += 1,
            Some(energy) if given != Split::Test => {
                self.energies.add_isolated(&frame.head, frame.atomic_numbers[0], energy);
            }
            _ => {}
        }
    }

    /// Gathers what may be wrong with a structure.
    fn look(&mut self, accepted: &Accepted, place: (usize, u64)) {
        let (source, line) = place;
        let sources = self.sources;
        let totals = &mut self.totals;
        self.distances.add(&accepted.distances, || format!("{}:{line}", sources[source].shown()));
        self.repeats.add(&accepted.frame, accepted.geometry, place);
        if let Some(distance) = accepted.nearly_isolated {
            let (count, least) = totals.nearly_isolated;
            let least = if count == 0 { distance } else { least.min(distance) };
            totals.nearly_isolated = (count + 1, least);
        }
        if accepted.zero_forces {
            totals.zero_forces.0 += 1;
            totals.zero_forces.1.get_or_insert(place);
        }
        if let Some(told) = &accepted.units.told {
            *totals.units_told.entry(told.clone()).or_default() += 1;
        }
        for key in &accepted.other_keys {
            if totals.other_keys.len() < MOST_KEYS || totals.other_keys.contains_key(key) {
                *totals.other_keys.entry(key.clone()).or_default() += 1;
            }
        }
    }

    fn count(&mut self, accepted: &Accepted, split: Split) {
        self.energies.note(&accepted.frame);
        let (frame, totals) = (&accepted.frame, &mut self.totals);
        for &z in &frame.atomic_numbers {
            *totals.elements.entry(z).or_default() += 1;
        }
        for key in &accepted.keys {
            *totals.keys.entry(key.clone()).or_default() += 1;
        }
        let labels = &frame.labels;
        let bulk = frame.periodic == [true; 3];
        for (label, wanted, present) in [
            (Label::Energy, true, labels.energy.is_some()),
            (Label::Forces, true, labels.forces.is_some()),
            (Label::Stress, bulk, labels.stress.is_some()),
        ] {
            let counts = totals.labels.entry(label).or_default();
            counts.0 += u64::from(wanted);
            counts.1 += u64::from(wanted && present);
        }
        if split == Split::Train {
            for &z in &frame.atomic_numbers {
                *totals.train_elements.entry(z).or_default() += 1;
            }
            totals.edges += accepted.edges;
            if frame.counts() {
                totals.counted_edges += accepted.edges;
                totals.receiving += accepted.receiving;
            }
            totals.most_edges = totals.most_edges.max(accepted.edges);
            self.learned.insert(accepted.geometry);
            self.energies.add(frame);
        } else if self.learned.contains(&accepted.geometry) {
            totals.seen_in_training += 1;
        }
    }

    /// Refuses a dataset made of rejects, without labels, or without anything to train on.
    pub(super) fn check(&self, sources: &[SourceCard]) -> std::result::Result<(), IngestError> {
        let [train, validation, test] = [0, 1, 2].map(|split| self.tallies[split].frames());
        let given = sources.iter().map(|source| source.records).sum();
        self.books.check(self.plan.max_reject_fraction, (train, validation + test), given)?;
        self.check_keys()?;
        Ok(self.check_labels()?)
    }

    /// Refuses a key that the plan names and no structure has.
    fn check_keys(&self) -> Result<()> {
        for quantity in Quantity::ALL {
            let Some(key) = quantity.asked(&self.plan.keys) else { continue };
            let found = |it: &FoundKey| it.quantity == quantity && it.key == *key;
            if self.totals.keys.keys().any(found) {
                continue;
            }
            let fix = format!("name one of the keys of the files{}", self.shown_keys());
            return Err(DataError::invalid(
                format!("keys.{}", quantity.name()),
                format!("no structure has a `{key}` that is {}", quantity.label().name()),
                fix,
            ));
        }
        Ok(())
    }

    /// The keys that files have, most frequent first.
    fn shown_keys(&self) -> String {
        let mut keys: Vec<(&String, &u64)> = self.totals.other_keys.iter().collect();
        keys.sort_by_key(|(key, count)| (std::cmp::Reverse(**count), *key));
        let keys: Vec<String> = keys.iter().map(|(key, n)| format!("{key} ({n})")).collect();
        if keys.is_empty() { String::new() } else { format!(": {}", keys.join(", ")) }
    }

    /// Refuses data that lacks what was asked for.
    fn check_labels(&self) -> Result<()> {
        let lacking = |label: &&Label| {
            self.totals
                .labels
                .get(label)
                .is_none_or(|&(wanted, present)| present < wanted || wanted == 0)
        };
        let lacking: Vec<&Label> = self.plan.labels.iter().filter(lacking).collect();
        let none =
            lacking.iter().any(|label| self.totals.labels.get(label).is_none_or(|c| c.1 == 0));
        if lacking.is_empty() || (self.plan.allow_missing_labels && !none) {
            return Ok(());
        }
        let shown = |label: &Label| {
            let (wanted, present) = self.totals.labels.get(label).copied().unwrap_or_default();
            format!("{} present in {present} of {wanted} structures", label.name())
        };
        let counts: Vec<String> = self.plan.labels.iter().map(shown).collect();
        Err(DataError::invalid(
            "labels",
            counts.join("; "),
            format!(
                "name the keys that hold them (keys.energy, keys.forces, keys.stress, \
                 keys.virials), leave a label out of `labels`, or set allow_missing_labels; keys of \
                 structures that lack one{}",
                self.shown_keys()
            ),
        ))
    }

    /// Remarks on what was counted.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for label in [Label::Energy, Label::Forces, Label::Stress] {
            let of = |(key, _): &(&FoundKey, &u64)| key.quantity.label() == label;
            let keys = self.totals.keys.iter().filter(of);
            let keys: Vec<String> = keys.map(|(key, n)| format!("{key} ({n})")).collect();
            if keys.len() > 1 {
                let keys = keys.join(", ");
                warnings
                    .push(format!("labels stand under several keys, {keys}; name one in `keys`"));
            }
        }
        let unseen =
            self.totals.elements.keys().filter(|z| !self.totals.train_elements.contains_key(z));
        let unseen: Vec<&str> = unseen.map(|&z| symbol(z)).collect();
        if !unseen.is_empty() {
            let names = unseen.join(", ");
            warnings.push(format!(
                "{names} occur only in held-out structures: nothing is learned of them"
            ));
        }
        if self.totals.seen_in_training > 0 {
            let n = self.totals.seen_in_training;
            warnings.push(format!(
                "{n} held-out structures have the atoms and cell of a training structure"
            ));
        }
        warnings.extend(self.doubts());
        warnings
    }

    /// What is possible, but hardly meant.
    fn doubts(&self) -> Vec<String> {
        let totals = &self.totals;
        let name = |source: usize| self.sources[source].shown();
        let mut doubts = Vec::new();
        for (told, n) in &totals.units_told {
            doubts.push(format!("{n} structures state their units and are read in them: {told}"));
        }
        if let (n @ 2.., Some((source, line))) = totals.zero_forces {
            doubts.push(format!(
                "{n} structures have forces that are all exactly zero, though nothing in their \
                 symmetry asks for it ({}:{line} is the first); forces that were not computed should \
                 be left out, or weigh 0 (config_forces_weight)",
                name(source)
            ));
        }
        doubts.extend(self.distances.warnings());
        doubts.extend(self.repeats.warning(name));
        if let (n @ 1.., least) = totals.nearly_isolated {
            doubts.push(format!(
                "{n} single atoms have no neighbour within the cut-off, but images at {least:.2} Å; \
                 they are learned as structures; config_type=isolated_atom makes them E0s"
            ));
        }
        if totals.unmarked > 0 {
            let n = totals.unmarked;
            doubts.push(format!(
                "{n} single atoms in periodic boxes have no neighbour and are taken for isolated atoms, \
                 though config_type does not say so"
            ));
        }
        if totals.weightless > 0 {
            let n = totals.weightless;
            doubts.push(format!("{n} isolated atoms have weight 0 and give no E0"));
        }
        doubts
    }

    /// Ends the shards; the rest is for the card.
    pub(super) fn finish(self) -> Result<Finished> {
        let mut shards = Vec::new();
        for writer in self.writers {
            shards.extend(writer.finish()?);
        }
        let [train, validation, test] = self.tallies.map(SplitTally::card);
        Ok(Finished {
            shards,
            splits: StructuresSplits { train, validation, test },
            booked: self.books.close(&self.root)?,
            totals: self.totals,
        })
    }
}

/// What a finished sink leaves.
pub(super) struct Finished {
    pub(super) shards: Vec<ShardCard<StructuresPart>>,
    pub(super) splits: StructuresSplits,
    pub(super) booked: Booked,
    pub(super) totals: Totals,
}
