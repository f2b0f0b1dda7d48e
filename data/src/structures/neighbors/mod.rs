//! Which atoms are closer than a cut-off, in any cell: the edges of the graph of a structure.
//!
//! Cell lists, O(atoms) for a given density: `lattice` finds the shortest lattice vectors of the
//! same crystal and wraps atoms into them, `bins` sorts atoms into boxes at least as wide as the
//! cut-off and looks into the boxes around each atom, images included. Both only propose pairs;
//! every pair is then measured by one expression, `|r[receiver] - r[sender] + shift · cell|`, in
//! the cell and with the positions as given. So which edges exist does not depend on how they
//! were found, nor on the number of threads.
//!
//! Not here: half lists, skins that outlive a step, and batches.

mod bins;
mod error;
mod lattice;
#[cfg(test)]
mod tests;

use genesis_schema::atoms::{Edges, Matrix, Vector};
use rayon::prelude::*;

use super::geometry::{add_scaled, dot, subtract, translation};
use bins::Bins;
pub use error::NeighborError;
use lattice::Lattice;

/// Receivers that one task searches; a structure of fewer atoms stays on the calling thread.
const CHUNK_ATOMS: usize = 256;

/// All directed edges of a structure between atoms at a distance below `cutoff` (strictly), Å.
///
/// The vector of an edge is `r[receiver] - r[sender] + shift · cell`. Images count as atoms of
/// their own, so an atom can be its own neighbour; only the pair of an atom with itself and shift
/// zero is left out. Atoms may lie outside the cell. Along directions that are not periodic the
/// shift is 0, whatever the cell says. Sorted by receiver, then sender, then shift.
///
/// # Errors
/// [`NeighborError`]: a cut-off that is not a positive number, a position or cell that is not
/// finite, periodic lattice vectors that are zero or span no volume, more images than can be
/// searched.
pub fn neighbor_list(
    positions: &[Vector],
    cell: &Matrix,
    periodic: [bool; 3],
    cutoff: f64,
) -> Result<Edges, NeighborError> {
    check(positions, cutoff)?;
    let lattice = Lattice::new(cell, periodic)?;
    let bins = Bins::new(&lattice, positions, cutoff)?;
    let search = Search { positions, cell, lattice: &lattice, bins: &bins, cutoff };
    let starts: Vec<usize> = (0..positions.len()).step_by(CHUNK_ATOMS).collect();
    let chunk = |&start: &usize| search.chunk(start..positions.len().min(start + CHUNK_ATOMS));
    let chunks: Vec<Vec<Edge>> = if starts.len() < 2 {
        starts.iter().map(chunk).collect()
    } else {
        starts.par_iter().map(chunk).collect()
    };
    collect(&chunks)
}

/// Mean number of edges an atom receives, over the atoms that receive any; 0 without edges.
/// Isolated atoms are left out, as in mace-torch.
pub fn mean_in_degree(edges: &Edges) -> f64 {
    let receiving = edges.receivers.chunk_by(|a, b| a == b).count();
    if receiving == 0 { 0.0 } else { edges.len() as f64 / receiving as f64 }
}

/// Receiver, sender, shift: the order of edges is that of the tuple.
type Edge = (u32, u32, [i32; 3]);

fn check(positions: &[Vector], cutoff: f64) -> Result<(), NeighborError> {
    if !(cutoff.is_finite() && cutoff > 0.0) {
        return Err(NeighborError::Cutoff { cutoff });
    }
    if u32::try_from(positions.len()).is_err() {
        return Err(NeighborError::TooManyAtoms { atoms: positions.len() });
    }
    match positions.iter().position(|r| !r.iter().all(|x| x.is_finite())) {
        Some(atom) => Err(NeighborError::Position { atom, position: positions[atom] }),
        None => Ok(()),
    }
}

struct Search<'s> {
    positions: &'s [Vector],
    cell: &'s Matrix,
    lattice: &'s Lattice,
    bins: &'s Bins,
    cutoff: f64,
}

impl Search<'_> {
    fn chunk(&self, receivers: std::ops::Range<usize>) -> Vec<Edge> {
        let mut edges = Vec::new();
        for receiver in receivers {
            let first = edges.len();
            self.bins.around(receiver, |sender, image| {
                edges.extend(self.edge(receiver, sender, image));
            });
            edges[first..].sort_unstable();
        }
        edges
    }

    /// The edge from the image of `sender` moved by `image` lattice vectors, if it is short enough.
    #[inline]
    fn edge(&self, receiver: usize, sender: u32, image: [i32; 3]) -> Option<Edge> {
        let from = self.bins.wraps[sender as usize];
        let to = self.bins.wraps[receiver];
        let shift = [0, 1, 2].map(|k| from[k] - to[k] - image[k]);
        let shift = self.lattice.in_given_cell(shift);
        if sender as usize == receiver && shift == [0; 3] {
            return None;
        }
        let direct = subtract(self.positions[receiver], self.positions[sender as usize]);
        let vector = add_scaled(direct, 1.0, translation(shift, self.cell));
        let receiver = u32::try_from(receiver).ok()?;
        (dot(vector, vector) < self.cutoff * self.cutoff).then_some((receiver, sender, shift))
    }
}

fn collect(chunks: &[Vec<Edge>]) -> Result<Edges, NeighborError> {
    let total = chunks.iter().map(Vec::len).sum();
    if u32::try_from(total).is_err() {
        return Err(NeighborError::TooManyEdges { edges: total });
    }
    let mut edges = Edges {
        senders: Vec::with_capacity(total),
        receivers: Vec::with_capacity(total),
        shifts: Vec::with_capacity(total),
    };
    for &(receiver, sender, shift) in chunks.iter().flatten() {
        edges.receivers.push(receiver);
        edges.senders.push(sender);
        edges.shifts.push(shift);
    }
    Ok(edges)
}
