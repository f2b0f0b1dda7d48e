//! Structures of atoms as graphs: neighbour lists, datasets of frames, and their batches.
//!
//! Reading order: [`neighbors`] (which atoms are close), [`card`] (what a dataset says of itself),
//! [`shards`] (how structures lie on disk), [`dataset`] (a folder, opened), [`loader`] (structures
//! to batches of graphs). How raw files become a dataset is in [`crate::ingest::atoms`].

pub mod card;
pub mod dataset;
pub mod elements;
pub(crate) mod geometry;
pub mod loader;
pub mod neighbors;
pub mod shards;

pub use card::{GraphCard, GraphSplit};
pub use dataset::GraphDataset;
pub use loader::{Budgets, GraphEvaluation, GraphLoader, GraphLoaderPlan};
pub use neighbors::{NeighborError, mean_in_degree, neighbor_list};
pub use shards::StoredFrame;
