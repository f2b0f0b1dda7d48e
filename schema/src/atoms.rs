//! Structures of atoms, and packed batches of their graphs.
//!
//! Units everywhere: Å, eV, eV/Å, eV/Å^3; whatever a file uses is converted once, at ingest.
//! Letters: `N` atoms of the batch, `E` directed edges, `G` structures. Stress is `dE/dε / volume`:
//! positive when the structure wants to shrink, the sign of ASE.

use crate::sample::Sample;

/// A vector in Å, or a force in eV/Å.
pub type Vector = [f64; 3];
/// Rows are vectors: lattice vectors of a cell, or a symmetric tensor.
pub type Matrix = [[f64; 3]; 3];

/// One structure and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// `[n]` atomic numbers, 1 to 118.
    pub atomic_numbers: Vec<u8>,
    /// `[n]` positions, Å.
    pub positions: Vec<Vector>,
    /// Lattice vectors as rows, Å; zero rows where there is none.
    pub cell: Matrix,
    /// Which lattice vectors are periodic.
    pub periodic: [bool; 3],
    /// What is to be learned.
    pub labels: FrameLabels,
    /// Weights of this structure in the loss.
    pub weights: FrameWeights,
    /// The kind of structure, for metrics by kind; empty when not given.
    pub config_type: String,
    /// The head that learns it; empty means the only one.
    pub head: String,
}

/// Reference values of a structure; absent ones do not enter the loss.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameLabels {
    /// Total energy, eV.
    pub energy: Option<f64>,
    /// `[n]` forces, eV/Å.
    pub forces: Option<Vec<Vector>>,
    /// Stress, eV/Å^3.
    pub stress: Option<Matrix>,
}

/// Factors of a structure's terms in the loss; one each unless given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameWeights {
    /// Multiplies every term.
    pub config: f64,
    /// Multiplies the energy term.
    pub energy: f64,
    /// Multiplies the force term.
    pub forces: f64,
    /// Multiplies the stress term.
    pub stress: f64,
}

impl FrameWeights {
    /// Factor of the energy term.
    pub fn of_energy(&self) -> f64 {
        self.config * self.energy
    }

    /// Factor of the force term.
    pub fn of_forces(&self) -> f64 {
        self.config * self.forces
    }

    /// Factor of the stress term.
    pub fn of_stress(&self) -> f64 {
        self.config * self.stress
    }
}

impl Frame {
    /// Whether some label of it enters the loss; else it shapes nothing. A structure without labels
    /// counts, as what is known of it is where its atoms are.
    pub fn counts(&self) -> bool {
        let FrameLabels { energy, forces, stress } = &self.labels;
        let weights = &self.weights;
        let terms = [
            (energy.is_some(), weights.of_energy()),
            (forces.is_some(), weights.of_forces()),
            (stress.is_some(), weights.of_stress()),
        ];
        let labelled = terms.iter().any(|&(has, _)| has);
        weights.config > 0.0
            && (!labelled || terms.iter().any(|&(has, weight)| has && weight > 0.0))
    }
}

impl Default for FrameWeights {
    fn default() -> Self {
        Self { config: 1.0, energy: 1.0, forces: 1.0, stress: 1.0 }
    }
}

/// Directed edges between atoms closer than the cut-off, sorted by receiver, then sender, then
/// shift. The vector of an edge is `r[receiver] - r[sender] + shift · cell`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edges {
    /// `[E]` atom that sends.
    pub senders: Vec<u32>,
    /// `[E]` atom that receives; ascending.
    pub receivers: Vec<u32>,
    /// `[E]` whole lattice vectors from the sender's image to the receiver.
    pub shifts: Vec<[i32; 3]>,
}

impl Edges {
    /// Number of directed edges, `E`.
    pub fn len(&self) -> usize {
        self.senders.len()
    }

    /// Whether there is no edge.
    pub fn is_empty(&self) -> bool {
        self.senders.is_empty()
    }
}

/// `G` structures side by side: atoms and edges end to end, nothing padded. Atom numbers of the
/// edges count through the whole batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GraphBatch {
    /// `[G]` the structures, in order.
    pub frames: Vec<Frame>,
    /// `[G]` number of each structure in its split.
    pub frame_ids: Vec<u64>,
    /// `[G]` the samples that these are; none where it is not part of a run.
    pub samples: Vec<Sample>,
    /// `[G + 1]` first atom of each structure, then `N`.
    pub first_atom: Vec<u32>,
    /// `[G + 1]` first edge of each structure, then `E`.
    pub first_edge: Vec<u32>,
    /// All edges.
    pub edges: Edges,
}

impl GraphBatch {
    /// Atoms in the batch, `N`.
    pub fn num_atoms(&self) -> usize {
        self.frames.iter().map(|frame| frame.atomic_numbers.len()).sum()
    }

    /// Edges in the batch, `E`.
    pub fn num_edges(&self) -> usize {
        self.edges.len()
    }

    /// Structures in the batch, `G`.
    pub fn num_frames(&self) -> usize {
        self.frames.len()
    }

    /// Appends a structure with its own edges, whose atoms count from 0.
    ///
    /// # Panics
    /// If the batch would hold 2^32 atoms or edges: a bug of the caller, which keeps budgets.
    pub fn push(&mut self, frame: Frame, edges: &Edges, frame_id: u64) {
        if self.first_atom.is_empty() {
            self.first_atom.push(0);
            self.first_edge.push(0);
        }
        let offset = self.first_atom[self.frames.len()];
        self.edges.senders.extend(edges.senders.iter().map(|&atom| atom + offset));
        self.edges.receivers.extend(edges.receivers.iter().map(|&atom| atom + offset));
        self.edges.shifts.extend_from_slice(&edges.shifts);
        let num_atoms = offset as usize + frame.atomic_numbers.len();
        self.first_atom.push(u32::try_from(num_atoms).expect("fewer than 2^32 atoms"));
        self.first_edge.push(u32::try_from(self.edges.len()).expect("fewer than 2^32 edges"));
        self.frames.push(frame);
        self.frame_ids.push(frame_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(num_atoms: usize) -> Frame {
        Frame {
            atomic_numbers: vec![1; num_atoms],
            positions: vec![[0.0; 3]; num_atoms],
            cell: [[0.0; 3]; 3],
            periodic: [false; 3],
            labels: FrameLabels::default(),
            weights: FrameWeights::default(),
            config_type: String::new(),
            head: String::new(),
        }
    }

    #[test]
    fn atoms_of_a_second_structure_are_counted_on() {
        let pair = Edges { senders: vec![1, 0], receivers: vec![0, 1], shifts: vec![[0; 3]; 2] };
        let mut batch = GraphBatch::default();
        batch.push(frame(2), &pair, 7);
        batch.push(frame(1), &Edges::default(), 8);
        batch.push(frame(2), &pair, 9);
        assert_eq!(batch.first_atom, [0, 2, 3, 5]);
        assert_eq!(batch.first_edge, [0, 2, 2, 4]);
        assert_eq!(batch.edges.senders, [1, 0, 4, 3]);
        assert_eq!(batch.edges.receivers, [0, 1, 3, 4]);
        assert_eq!((batch.num_atoms(), batch.num_edges(), batch.num_frames()), (5, 4, 3));
    }
}
