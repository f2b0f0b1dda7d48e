//! What a dataset of structures says of its samples: the `graphs` kind of `dataset.json`.
//!
//! Energies are eV, lengths Å, forces eV/Å, stress eV/Å^3. Not here: what cards of all kinds say
//! (`dataset::card`), and the card as a file (`dataset::card_file`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::Split;
use crate::dataset::card::{Card, Part, count, read_histogram};

/// What a dataset of structures is.
pub type StructuresCard = Card<StructuresPart>;

/// What only structures have: elements with their energies, labels, neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StructuresPart {
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
}

count!(/** Structures. */ Frames, frames);
count!(/** Atoms. */ Atoms, atoms);

impl Part for StructuresPart {
    const KIND: &'static str = "graphs";
    const NOUNS: [&'static str; 2] = ["structures", "atoms"];
    const COUNTS_SEEN: bool = true;
    type Samples = Frames;
    type Units = Atoms;

    fn stated(&self, split: Split) -> (u64, u64) {
        let stated = self.splits.get(split);
        (stated.frames, stated.atoms)
    }
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
    #[serde(deserialize_with = "read_histogram")]
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
    /// By head, where there are several; what stands above is then that of the first by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub heads: BTreeMap<String, HeadEnergies>,
}

impl AtomicEnergies {
    /// eV by symbol, of one head.
    pub fn of_head(&self, head: &str) -> &BTreeMap<String, f64> {
        self.heads.get(head).map_or(&self.values_ev, |own| &own.values_ev)
    }
}

/// Energies of isolated atoms of one head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadEnergies {
    /// As in [`AtomicEnergies`].
    pub source: String,
    /// eV, by symbol.
    pub values_ev: BTreeMap<String, f64>,
    /// As in [`AtomicEnergies`].
    pub rank: Option<u64>,
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
