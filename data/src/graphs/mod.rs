//! Structures of atoms as graphs: neighbour lists, datasets of frames, and their batches.
//!
//! Reading order: [`neighbors`] (which atoms are close).

pub(crate) mod geometry;
pub mod neighbors;

pub use neighbors::{NeighborError, mean_in_degree, neighbor_list};
