//! What a dataset of structures says of itself: the `graphs` kind of `dataset.json`.
//!
//! Written last, like the card of tokens, with the digest of every other file. Energies are eV,
//! lengths Å, forces eV/Å, stress eV/Å^3. Not here: the card as a file (`card_file`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dataset::DatasetKind;
use crate::dataset::Split;
use crate::dataset::card::{FileCard, RejectsCard, SourceCard};
use crate::dataset::card_file::{self, CardFile};
use crate::error::Result;

/// What a dataset of structures is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructuresCard {
    /// Version of the card and of the shards.
    pub schema_version: u32,
    /// Always [`DatasetKind::Structures`].
    pub kind: DatasetKind,
    /// Short name.
    pub name: String,
    /// A sentence or more for people.
    pub description: String,
    /// Elements of all splits, by symbol: how many atoms are of it.
    pub elements: BTreeMap<String, u64>,
    /// Energies of isolated atoms.
    pub atomic_energies: AtomicEnergies,
    /// Statistics of each split; in the order of [`Split`].
    pub splits: StructuresSplits,
    /// How structures were divided into splits, in words.
    pub split_rule: String,
    /// Neighbours in the training split.
    pub neighbors: NeighborCard,
    /// Under which keys labels were found, and in how many structures.
    pub label_keys: BTreeMap<String, u64>,
    /// What looks wrong though it could be read, such as energies in another unit.
    pub warnings: Vec<String>,
    /// What was refused.
    pub rejects: RejectsCard,
    /// Structures dropped because an equal one (atoms, cell and labels) came before.
    pub duplicates_dropped: u64,
    /// Held-out structures whose atoms and cell are those of a training structure; they stay.
    pub held_out_seen_in_training: u64,
    /// The raw files; a structure's `source` column is an index into this list.
    pub sources: Vec<SourceCard>,
    /// The options of the ingest, as given.
    pub options: serde_json::Value,
    /// Licence of the data, if stated.
    pub licence: Option<String>,
    /// Handling classification, if stated.
    pub classification: Option<String>,
    /// Version of the program that wrote the dataset.
    pub code_version: String,
    /// Every file of the folder that is neither a shard nor the card.
    pub files: Vec<FileCard>,
    /// The shards; those of one split are read in this order.
    pub shards: Vec<StructuresShardCard>,
}

/// Statistics of the splits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructuresSplits {
    /// Learned from.
    pub train: StructuresSplitCard,
    /// Held out, measured while training.
    pub validation: StructuresSplitCard,
    /// Held out, measured at the end.
    pub test: StructuresSplitCard,
}

impl StructuresSplits {
    /// Of one split.
    pub fn get(&self, split: Split) -> &StructuresSplitCard {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }
}

/// Statistics of one split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructuresSplitCard {
    /// Structures.
    pub frames: u64,
    /// Atoms of all structures.
    pub atoms: u64,
    /// Atoms of the largest structure.
    pub largest: u64,
    /// Structures by number of atoms.
    pub sizes: BTreeMap<u64, u64>,
    /// Structures that are periodic in at least one direction.
    pub periodic: u64,
    /// Energy per atom, eV, of structures that have one.
    pub energy_per_atom: Range,
    /// Components of forces, eV/Å.
    pub forces: Range,
    /// Components of stress, eV/Å^3.
    pub stress: Range,
    /// Structures that have forces.
    pub with_forces: u64,
    /// Structures that have a stress.
    pub with_stress: u64,
    /// Structures by kind.
    pub config_types: BTreeMap<String, u64>,
    /// Structures by head.
    pub heads: BTreeMap<String, u64>,
}

/// How many values there are and where they lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Values.
    pub count: u64,
    /// The smallest; 0 without values.
    pub min: f64,
    /// The largest; 0 without values.
    pub max: f64,
    /// Sum over count; 0 without values.
    pub mean: f64,
    /// Root of the mean square; 0 without values.
    pub rms: f64,
}

/// Energies of isolated atoms, and how well they alone explain the energies of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtomicEnergies {
    /// `isolated_atoms`, `given`, `least_squares` or `zero`.
    pub source: String,
    /// eV, by symbol.
    pub values_ev: BTreeMap<String, f64>,
    /// Of least squares: independent combinations of elements that the data determines.
    pub rank: Option<u64>,
    /// `(E - sum of E0) / atoms` over training structures of two atoms or more, eV.
    pub residual_per_atom: Range,
}

/// Neighbours within a cut-off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighborCard {
    /// Å.
    pub cutoff: f64,
    /// Mean number of neighbours over atoms that have any: `avg_num_neighbors` of MACE.
    pub mean: f64,
    /// Directed edges of all training structures.
    pub edges: u64,
    /// Directed edges of the structure that has most.
    pub most_edges: u64,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructuresShardCard {
    /// Name inside the folder.
    pub file: String,
    /// The split it belongs to.
    pub split: Split,
    /// Structures in it.
    pub frames: u64,
    /// Atoms in it.
    pub atoms: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its record batches in order.
    pub batches: Vec<StructuresBatchCard>,
}

/// One record batch of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructuresBatchCard {
    /// Structures in it.
    pub rows: u64,
    /// Atoms in it.
    pub atoms: u64,
    /// First byte of its message in the file.
    pub offset: u64,
    /// Length of its message: metadata and body.
    pub bytes: u64,
    /// xxh3-64 of these bytes, sixteen hexadecimal digits.
    pub xxh3: String,
}

impl StructuresCard {
    /// The one serialisation of the card.
    pub fn to_json(&self) -> Result<String> {
        card_file::to_json(self)
    }

    /// Writes the digest file and the card, and returns the digest. Call it last: from then on the
    /// folder is a dataset.
    pub fn save(&self, root: &Path) -> Result<String> {
        card_file::save(root, &self.to_json()?)
    }

    /// Reads the card of the folder `root` and its digest, which must match the digest file.
    pub fn load(root: &Path) -> Result<(Self, String)> {
        let file = CardFile::read(root)?;
        let card: Self = file.parse(DatasetKind::Structures)?;
        let names = card.files.iter().map(|f| &f.file).chain(card.shards.iter().map(|s| &s.file));
        card_file::check_names(names).map_err(|problem| file.problem(problem))?;
        Ok((card, file.digest))
    }
}
