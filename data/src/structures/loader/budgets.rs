//! Batches bounded by atoms and by edges, which is what memory is made of.

use genesis_schema::{Edges, Frame, GraphBatch, Sample};

use crate::error::{DataError, Result};

/// What one batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Atoms at most.
    pub max_atoms: usize,
    /// Directed edges at most.
    pub max_edges: usize,
}

impl Budgets {
    pub(super) fn check(self) -> Result<()> {
        // Numbers of atoms and edges of a batch have 32 bits.
        let fits = |n: usize| n > 0 && u32::try_from(n).is_ok();
        if fits(self.max_atoms) && fits(self.max_edges) {
            return Ok(());
        }
        let found = format!("they are {} and {}", self.max_atoms, self.max_edges);
        let fix = "choose numbers from 1 to 2^32 - 1";
        Err(DataError::invalid("batch.max_atoms, batch.max_edges", found, fix))
    }

    pub(super) fn hold(self, atoms: usize, edges: usize) -> bool {
        atoms <= self.max_atoms && edges <= self.max_edges
    }
}

/// Fills batches in order: a structure that does not fit the current batch begins the next.
///
/// Order is kept, so that the batches of a step are a function of its structures alone.
#[derive(Debug)]
pub(super) struct Packer {
    budgets: Budgets,
    full: Vec<GraphBatch>,
    current: GraphBatch,
}

impl Packer {
    pub(super) fn new(budgets: Budgets) -> Self {
        Self { budgets, full: Vec::new(), current: GraphBatch::default() }
    }

    /// Whether a structure fits the current batch.
    pub(super) fn fits(&self, atoms: usize, edges: usize) -> bool {
        self.budgets.hold(self.current.num_atoms() + atoms, self.current.num_edges() + edges)
    }

    /// Appends a structure, which alone is within the budgets.
    pub(super) fn push(&mut self, frame: Frame, edges: &Edges, index: u64, sample: Option<Sample>) {
        if !self.fits(frame.atomic_numbers.len(), edges.len()) {
            self.full.push(std::mem::take(&mut self.current));
        }
        self.current.push(frame, edges, index);
        self.current.samples.extend(sample);
    }

    /// All batches; none is empty.
    pub(super) fn finish(mut self) -> Vec<GraphBatch> {
        if self.current.num_frames() > 0 {
            self.full.push(self.current);
        }
        self.full
    }
}
