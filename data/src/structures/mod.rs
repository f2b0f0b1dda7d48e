//! Structures of atoms: neighbour lists, datasets of frames, and their batches as graphs.
//!
//! Reading order: [`neighbors`] (which atoms are close), [`card`] (what a dataset says of itself),
//! [`shards`] (how structures lie on disk), [`dataset`] (a folder, opened), [`loader`] (structures
//! to batches of graphs). How raw files become a dataset is in [`mod@ingest`].

pub mod card;
pub mod dataset;
mod generate;
pub(crate) mod geometry;
pub mod ingest;
pub mod loader;
pub mod neighbors;
pub mod shards;
mod silicon;
mod verify;

pub use card::StructuresCard;
pub use dataset::{StructuresCorpus, StructuresDataset};
pub use generate::GenerateStructures;
pub use ingest::{
    StructuresIngest, StructuresSummary, ingest_structures, read_each_structure, read_structures,
};
pub use loader::{Budgets, HeldOutStructures, StructuresLoader, StructuresLoaderPlan};
pub use neighbors::{NeighborError, mean_in_degree, neighbor_list};
pub use shards::StoredFrame;
pub use silicon::{Labelled, SiliconFrame, SiliconFrames, stillinger_weber};
