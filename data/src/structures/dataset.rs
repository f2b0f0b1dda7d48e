//! A dataset folder of structures, opened: its card and its mapped shards, joined into one
//! sequence of structures per split.

use std::path::{Path, PathBuf};

use super::card::StructuresCard;
use super::neighbors::neighbor_list;
use super::shards::{StoredFrame, StructuresShardReader};
use crate::dataset::Split;
use crate::error::{DataError, Result};

/// An opened dataset of structures. Share it with `Arc`: reading needs no lock.
#[derive(Debug)]
pub struct StructuresDataset {
    root: PathBuf,
    card: StructuresCard,
    digest: String,
    shards: Vec<StructuresShardReader>,
    splits: [SplitIndex; 3],
}

/// Where the batches of a split are, and how many structures come before each.
#[derive(Debug, Default)]
struct SplitIndex {
    batches: Vec<(usize, usize)>,
    frames_before: Vec<u64>,
    frames: u64,
}

impl StructuresDataset {
    /// Opens the folder `root`: reads and checks the card, the sizes and footers of all shards.
    ///
    /// Contents are checked batch by batch when they are first used; `verify` checks all.
    pub fn open(root: &Path) -> Result<Self> {
        if cfg!(target_endian = "big") {
            let fix = "use a little-endian machine";
            return Err(DataError::invalid("dataset", "shards are little-endian", fix));
        }
        let (card, digest) = StructuresCard::load(root)?;
        check_sums(&card)
            .map_err(|problem| DataError::Card { path: root.join("dataset.json"), problem })?;
        let shards = card.shards.iter().map(|shard| StructuresShardReader::open(root, shard));
        let shards = shards.collect::<Result<Vec<_>>>()?;
        let splits = Split::ALL.map(|split| SplitIndex::new(&card, split));
        Ok(Self { root: root.to_path_buf(), card, digest, shards, splits })
    }

    /// What the dataset says of itself.
    pub fn card(&self) -> &StructuresCard {
        &self.card
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// SHA-256 of the card, which holds the digests of all other files.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Structures of the split.
    pub fn num_frames(&self, split: Split) -> u64 {
        self.index(split).frames
    }

    /// The structure `index` of `0..num_frames(split)`.
    ///
    /// # Panics
    /// If there is no such structure.
    pub fn frame(&self, split: Split, index: u64) -> Result<StoredFrame> {
        let places = self.index(split);
        let name = split.name();
        assert!(
            index < places.frames,
            "structure {index} of {} in the {name} split",
            places.frames
        );
        let entry = places.frames_before.partition_point(|&before| before <= index) - 1;
        let (shard, batch) = places.batches[entry];
        let row = usize::try_from(index - places.frames_before[entry]).expect("inside one batch");
        self.shards[shard].frame(batch, row)
    }

    /// Mean number of neighbours within `cutoff` Å over the training atoms that have any: the
    /// number by which MACE divides messages. Goes through the whole training split.
    pub fn average_num_neighbors(&self, cutoff: f64) -> Result<f64> {
        let (mut edges, mut receiving) = (0u64, 0u64);
        for index in 0..self.num_frames(Split::Train) {
            let frame = self.frame(Split::Train, index)?.frame;
            let list = neighbor_list(&frame.positions, &frame.cell, frame.periodic, cutoff)
                .map_err(|e| self.unsearchable(index, &e.to_string()))?;
            edges += list.len() as u64;
            receiving += list.receivers.chunk_by(|a, b| a == b).count() as u64;
        }
        Ok(if receiving == 0 { 0.0 } else { edges as f64 / receiving as f64 })
    }

    fn unsearchable(&self, index: u64, problem: &str) -> DataError {
        let what = format!("{}: training structure {index}", self.root.display());
        DataError::invalid(what, problem, "remove the structure and ingest again")
    }

    fn index(&self, split: Split) -> &SplitIndex {
        &self.splits[split as usize]
    }
}

impl SplitIndex {
    fn new(card: &StructuresCard, split: Split) -> Self {
        let mut index = Self::default();
        for (s, shard) in card.shards.iter().enumerate().filter(|(_, shard)| shard.split == split) {
            for (b, batch) in shard.batches.iter().enumerate() {
                index.batches.push((s, b));
                index.frames_before.push(index.frames);
                index.frames += batch.rows;
            }
        }
        index
    }
}

/// The counts of batches, shards and splits must add up without overflow.
fn check_sums(card: &StructuresCard) -> std::result::Result<(), String> {
    for split in Split::ALL {
        let (mut frames, mut atoms) = (0u64, 0u64);
        for shard in card.shards.iter().filter(|shard| shard.split == split) {
            let sum = |of: &dyn Fn(usize) -> u64| {
                (0..shard.batches.len()).try_fold(0u64, |sum, i| match of(i) {
                    0 => None,
                    count => sum.checked_add(count),
                })
            };
            let rows = sum(&|i| shard.batches[i].rows);
            let held = sum(&|i| shard.batches[i].atoms);
            if (rows, held) != (Some(shard.frames), Some(shard.atoms)) {
                return Err(format!("the batches of {} do not add up to its counts", shard.file));
            }
            frames = frames.saturating_add(shard.frames);
            atoms = atoms.saturating_add(shard.atoms);
        }
        let stated = card.splits.get(split);
        if (frames, atoms) != (stated.frames, stated.atoms) {
            return Err(format!(
                "the {} shards hold {frames} structures and {atoms} atoms, the card says {} and {}",
                split.name(),
                stated.frames,
                stated.atoms
            ));
        }
    }
    Ok(())
}
