//! Structures to shards, in order, everything counted.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::division::Division;
use super::energies::EnergySums;
use super::interpret::Accepted;
use super::plan::{Label, StructuresIngest};
use super::statistics::SplitTally;
use crate::dataset::Split;
use crate::dataset::card::ShardCard;
use crate::error::{DataError, Result};
use crate::ingest::IngestError;
use crate::ingest::books::{Booked, Books};
use crate::ingest::inputs::Source;
use crate::ingest::pipeline::Done;
use crate::structures::card::{StructuresPart, StructuresSplits};
use crate::structures::shards::{StoredFrame, StructuresShardLimits, StructuresShardWriter};
use genesis_schema::elements::symbol;

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
    /// Only asked whether it holds a structure, never walked: its order reaches no result.
    learned: HashSet<u128>,
}

/// What is counted over all splits.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) isolated: u64,
    pub(super) seen_in_training: u64,
    /// Atoms by atomic number.
    pub(super) elements: BTreeMap<u8, u64>,
    pub(super) train_elements: BTreeMap<u8, u64>,
    pub(super) keys: BTreeMap<String, u64>,
    /// By label: structures that should have it, and that do.
    pub(super) labels: BTreeMap<Label, (u64, u64)>,
    pub(super) edges: u64,
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
            learned: HashSet::new(),
        }
    }

    pub(super) fn store(&mut self, done: Vec<Done<Accepted>>) -> Result<()> {
        for Done { source, number, line, outcome } in done {
            if let Some(accepted) = self.books.enter((source, line), outcome) {
                self.push(accepted, (source, number, line))?;
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
        if accepted.isolated {
            return self.isolated(&accepted, given);
        }
        if given == Split::Train && !self.books.is_new(accepted.identity) {
            return Ok(());
        }
        let held_out = given == Split::Train && self.division.holds_out(number, accepted.geometry);
        let split = if held_out { Split::Validation } else { given };
        self.count(&accepted, split);
        self.tallies[split as usize].add(&accepted.frame);
        let source = u32::try_from(source).expect("fewer than 2^32 files");
        let stored = StoredFrame { frame: accepted.frame, id: number, source, line };
        self.writers[split as usize].push(stored)
    }

    /// Isolated atoms of test files do not shape a model.
    fn isolated(&mut self, accepted: &Accepted, given: Split) -> Result<()> {
        self.totals.isolated += 1;
        match accepted.frame.labels.energy {
            Some(energy) if given != Split::Test => {
                self.energies.add_isolated(accepted.frame.atomic_numbers[0], energy)
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, accepted: &Accepted, split: Split) {
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
            totals.receiving += accepted.receiving;
            totals.most_edges = totals.most_edges.max(accepted.edges);
            self.learned.insert(accepted.geometry);
            self.energies.add(frame);
        } else if self.learned.contains(&accepted.geometry) {
            totals.seen_in_training += 1;
        }
    }

    /// Refuses a dataset made of rejects, without labels, or without anything to train on.
    pub(super) fn check(&self) -> std::result::Result<(), IngestError> {
        let [train, validation, test] = [0, 1, 2].map(|split| self.tallies[split].frames());
        self.books.check(self.plan.max_reject_fraction, (train, validation + test))?;
        Ok(self.check_labels()?)
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
            "name the keys that hold them (keys.energy, keys.forces, keys.stress, keys.virials), \
             leave a label out of `labels`, or set allow_missing_labels",
        ))
    }

    /// Remarks on what was counted.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for label in ["energy", "forces", "stress"] {
            let keys = self.totals.keys.iter().filter(|(key, _)| key.starts_with(label));
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
        warnings
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
