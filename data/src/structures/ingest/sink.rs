//! Structures to shards, in order: duplicates dropped, rejects logged, everything counted.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::energies::EnergySums;
use super::interpret::Accepted;
use super::pipeline::Done;
use super::plan::{Label, StructuresIngest};
use super::sources::StructuresSource;
use super::statistics::SplitTally;
use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::ingest::rejects::RejectLog;
use crate::structures::card::StructuresShardCard;
use crate::structures::elements::symbol;
use crate::structures::shards::{StoredFrame, StructuresShardLimits, StructuresShardWriter};

/// Divides inputs between training and validation.
#[derive(Debug)]
pub(crate) enum Division {
    /// Held out when the hash of atoms and cell is below this fraction of 2^64.
    Fraction(f64),
    /// Held out by the number of the record.
    Numbers(HashSet<u64>),
    /// Nothing is held out.
    Nothing,
}

impl Division {
    fn holds_out(&self, number: u64, geometry: u128) -> bool {
        match self {
            Self::Fraction(fraction) => hash(geometry) < *fraction,
            Self::Numbers(numbers) => numbers.contains(&number),
            Self::Nothing => false,
        }
    }
}

/// 0 to 1, the same for equal atoms and cell.
fn hash(geometry: u128) -> f64 {
    let high = u64::try_from(geometry >> 64).expect("half of 128 bits");
    high as f64 / 2f64.powi(64)
}

pub(crate) struct Sink<'p> {
    plan: &'p StructuresIngest,
    sources: &'p [StructuresSource],
    root: PathBuf,
    division: Division,
    writers: [StructuresShardWriter; 3],
    tallies: [SplitTally; 3],
    pub(crate) totals: Totals,
    pub(crate) rejects: RejectLog,
    pub(crate) energies: EnergySums,
    /// Only asked whether they hold a structure, never walked: their order reaches no result.
    seen: HashSet<u128>,
    learned: HashSet<u128>,
}

/// What is counted over all splits.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) duplicates: u64,
    pub(crate) isolated: u64,
    pub(crate) seen_in_training: u64,
    /// Atoms by atomic number.
    pub(crate) elements: BTreeMap<u8, u64>,
    pub(crate) train_elements: BTreeMap<u8, u64>,
    pub(crate) keys: BTreeMap<String, u64>,
    /// By label: structures that should have it, and that do.
    pub(crate) labels: BTreeMap<Label, (u64, u64)>,
    pub(crate) edges: u64,
    pub(crate) receiving: u64,
    pub(crate) most_edges: u64,
}

impl<'p> Sink<'p> {
    pub(crate) fn create(
        root: &Path,
        plan: &'p StructuresIngest,
        sources: &'p [StructuresSource],
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
            rejects: RejectLog::default(),
            energies: EnergySums::default(),
            seen: HashSet::new(),
            learned: HashSet::new(),
        }
    }

    pub(crate) fn store(&mut self, piece: Vec<Done>) -> Result<()> {
        for done in piece {
            self.totals.records += 1;
            match done.outcome {
                Ok(accepted) => self.push(accepted, (done.source, done.number, done.line))?,
                Err(refusal) => {
                    let file = self.sources[done.source].shown();
                    self.rejects.add(&file, done.line, refusal);
                }
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
        if !self.plan.keep_duplicates
            && given == Split::Train
            && !self.seen.insert(accepted.identity)
        {
            self.totals.duplicates += 1;
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

    /// Structures of the training split.
    pub(crate) fn num_train(&self) -> u64 {
        self.tallies[0].frames()
    }

    /// Held-out structures.
    pub(crate) fn num_held_out(&self) -> u64 {
        self.tallies[1].frames() + self.tallies[2].frames()
    }

    /// Refuses data that lacks what was asked for.
    pub(crate) fn check_labels(&self) -> Result<()> {
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
    pub(crate) fn warnings(&self) -> Vec<String> {
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
    pub(crate) fn finish(self) -> Result<Finished> {
        let mut shards = Vec::new();
        for writer in self.writers {
            shards.extend(writer.finish()?);
        }
        let [train, validation, test] = self.tallies.map(SplitTally::card);
        let (rejects, listed) = self.rejects.save(&self.root)?;
        Ok(Finished {
            shards,
            splits: crate::structures::card::StructuresSplits { train, validation, test },
            rejects,
            listed,
            totals: self.totals,
        })
    }
}

/// What a finished sink leaves.
pub(crate) struct Finished {
    pub(crate) shards: Vec<StructuresShardCard>,
    pub(crate) splits: crate::structures::card::StructuresSplits,
    pub(crate) rejects: crate::dataset::card::RejectsCard,
    pub(crate) listed: Vec<crate::ingest::Reject>,
    pub(crate) totals: Totals,
}
