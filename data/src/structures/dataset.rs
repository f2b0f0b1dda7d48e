//! Structures of an opened dataset.

use std::path::Path;

use super::card::StructuresPart;
use super::neighbors::neighbor_list;
use super::shards::{StoredFrame, StructuresShardReader};
use crate::dataset::card::ShardCard;
use crate::dataset::opened::{Dataset, Readable};
use crate::dataset::{Corpus, Split};
use crate::error::{DataError, Result};

/// An opened dataset of structures.
pub type StructuresDataset = Dataset<StructuresPart>;

/// The datasets of structures that a run learns from.
pub type StructuresCorpus = Corpus<StructuresPart>;

impl Readable for StructuresPart {
    type Shard = StructuresShardReader;

    fn open_shard(&self, root: &Path, shard: &ShardCard<Self>) -> Result<StructuresShardReader> {
        StructuresShardReader::open(root, shard)
    }
}

impl StructuresDataset {
    /// Structures of the split.
    pub fn num_frames(&self, split: Split) -> u64 {
        self.places(split).num_samples()
    }

    /// The structure `index` of `0..num_frames(split)`.
    ///
    /// # Panics
    /// If there is no such structure.
    pub fn frame(&self, split: Split, index: u64) -> Result<StoredFrame> {
        let (shard, batch, row) = self.row(split, index);
        shard.frame(batch, row)
    }

    /// Mean number of neighbours within `cutoff` Å over the training atoms that have any: the
    /// number by which MACE divides messages. Structures without weight do not count. Goes through the whole training split.
    pub fn average_num_neighbors(&self, cutoff: f64) -> Result<f64> {
        mean_num_neighbors(&[self], cutoff)
    }

    /// Directed edges of the training split, and atoms that receive one.
    fn edges_and_receivers(&self, cutoff: f64) -> Result<(u64, u64)> {
        let (mut edges, mut receiving) = (0u64, 0u64);
        for index in 0..self.num_frames(Split::Train) {
            let frame = self.frame(Split::Train, index)?.frame;
            if !frame.counts() {
                continue;
            }
            let list = neighbor_list(&frame.positions, &frame.cell, frame.periodic, cutoff)
                .map_err(|e| self.unsearchable(index, &e.to_string()))?;
            edges += list.len() as u64;
            receiving += list.receivers.chunk_by(|a, b| a == b).count() as u64;
        }
        Ok((edges, receiving))
    }

    fn unsearchable(&self, index: u64, problem: &str) -> DataError {
        let what = format!("{}: training structure {index}", self.root().display());
        DataError::invalid(what, problem, "remove the structure and ingest again")
    }
}

/// As [`StructuresDataset::average_num_neighbors`], over the training atoms of several datasets.
///
/// # Errors
/// A structure that cannot be read or searched.
pub fn mean_num_neighbors(datasets: &[&StructuresDataset], cutoff: f64) -> Result<f64> {
    let (mut edges, mut receiving) = (0u64, 0u64);
    for dataset in datasets {
        let (more, atoms) = dataset.edges_and_receivers(cutoff)?;
        edges += more;
        receiving += atoms;
    }
    Ok(if receiving == 0 { 0.0 } else { edges as f64 / receiving as f64 })
}
