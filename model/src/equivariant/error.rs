//! Why a batch of structures does not fit a network.

use genesis_kernels::EdgeGraphError;

/// Why a batch of structures does not fit a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// An element outside the table.
    #[error(
        "structure {frame}, atom {atom}: element {atomic_number} is not among those the model \
         knows, {known:?}; drop the structure or train a model with this element"
    )]
    UnknownElement {
        /// Number of the structure in its split.
        frame: u64,
        /// Atom in the structure, from 0.
        atom: usize,
        /// Its atomic number.
        atomic_number: u8,
        /// The table of the model.
        known: Vec<u8>,
    },
    /// A head that the model does not have, or none where there are several.
    #[error(
        "structure {frame}: head `{head}` is not among those of the model, {known:?}; name one"
    )]
    UnknownHead {
        /// Number of the structure in its split.
        frame: u64,
        /// Head it names; empty when it names none.
        head: String,
        /// Heads of the model.
        known: Vec<String>,
    },
    /// Neighbours in the same place, or a position that is no number.
    #[error(
        "structure {frame}: the edge from atom {sender} to atom {receiver} has length {length} Å; \
         remove one of two atoms in the same place, or the position that is not finite"
    )]
    Overlap {
        /// Number of the structure in its split.
        frame: u64,
        /// Sender in the structure, from 0.
        sender: usize,
        /// Receiver in the structure, from 0.
        receiver: usize,
        /// Length of the edge, Å.
        length: f64,
    },
    /// A periodic structure whose lattice vectors span nothing.
    #[error(
        "structure {frame}: periodic in three directions but its cell has volume {volume} Å^3; \
         give three independent lattice vectors or declare it not periodic"
    )]
    FlatCell {
        /// Number of the structure in its split.
        frame: u64,
        /// Volume, Å^3.
        volume: f64,
    },
    /// A stress to learn where there is none.
    #[error(
        "structure {frame} has a stress label but is periodic in {periodic:?} directions; remove \
         the label or declare three periodic directions"
    )]
    StressWithoutCell {
        /// Number of the structure in its split.
        frame: u64,
        /// Its periodic directions.
        periodic: [bool; 3],
    },
    /// Edges that the kernels refuse.
    #[error(transparent)]
    Edges(#[from] EdgeGraphError),
}
