//! Why a structure has no neighbour list.

use genesis_schema::atoms::Vector;

/// A structure or cut-off for which edges are not defined, or too many to search.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NeighborError {
    /// The cut-off is not a length.
    #[error("the cut-off is {cutoff} Å\n  fix: choose a positive, finite length such as 5.0")]
    Cutoff {
        /// As given, Å.
        cutoff: f64,
    },

    /// An atom is nowhere.
    #[error(
        "atom {atom} (counted from 0) is at {position:?}, which is not finite\n  \
         fix: correct or remove the structure"
    )]
    Position {
        /// Index of the first such atom.
        atom: usize,
        /// Where it is said to be, Å.
        position: Vector,
    },

    /// An atom is so many cells away that the count does not fit 31 bits.
    #[error(
        "atom {atom} (counted from 0) at {position:?} lies more than 2^30 cells away from the \
         origin\n  fix: wrap positions into the cell, or correct the cell"
    )]
    FarAway {
        /// Index of the first such atom.
        atom: usize,
        /// Where it is, Å.
        position: Vector,
    },

    /// A lattice vector is not made of numbers.
    #[error("lattice vector {axis} is {vector:?}, which is not finite\n  fix: correct the cell")]
    Cell {
        /// 0, 1 or 2.
        axis: usize,
        /// The vector, Å.
        vector: Vector,
    },

    /// A direction is periodic with a period of zero.
    #[error(
        "lattice vector {axis} is zero, but periodic\n  \
         fix: give the cell (`Lattice=` in extxyz), or set pbc to F along it"
    )]
    ZeroCell {
        /// 0, 1 or 2.
        axis: usize,
    },

    /// The periodic lattice vectors lie in one plane or on one line.
    #[error(
        "the periodic lattice vectors {vectors:?} are not independent: they span {ratio:e} of the \
         box of their lengths, at least {least:e} is needed\n  \
         fix: correct the cell, or set pbc to F where the structure does not repeat"
    )]
    FlatCell {
        /// The periodic ones, Å.
        vectors: Vec<Vector>,
        /// Volume (area) over the product of the lengths.
        ratio: f64,
        /// The smallest ratio that is accepted.
        least: f64,
    },

    /// The cell is so small against the cut-off that its images cannot be searched.
    #[error(
        "a cut-off of {cutoff} Å reaches {images:.0} images of the cell around each atom, at most \
         {limit:.0} are searched; the cell is {heights:?} Å high\n  \
         fix: check the units of the cell and of the cut-off (Å)"
    )]
    TooManyImages {
        /// Å.
        cutoff: f64,
        /// Images around an atom.
        images: f64,
        /// The most that are searched.
        limit: f64,
        /// Distances between the faces of the reduced cell, Å.
        heights: Vector,
    },

    /// Atoms are counted in 32 bits.
    #[error("{atoms} atoms are more than 2^32 - 1\n  fix: cut the structure into parts")]
    TooManyAtoms {
        /// Atoms of the structure.
        atoms: usize,
    },

    /// Edges are counted in 32 bits.
    #[error("{edges} edges are more than 2^32 - 1\n  fix: use a shorter cut-off")]
    TooManyEdges {
        /// Edges of the structure.
        edges: usize,
    },
}
