//! From a dataset of structures to batches of graphs: which structures, in which order.
//!
//! As for tokens, a step is a pure function of `(dataset, plan, step)`: the position of a run is
//! one integer, the order is the same keyed permutation ([`crate::dataset::order`]), and any number
//! of ranks sees the same global sequence. A step is a number of structures, so what a step means
//! does not depend on memory; `budgets` divides the part of a rank into batches that fit.
//!
//! Not here: the loss. Terms are to be summed over the batches of a step and divided by the counts
//! of the whole step; then the division changes nothing but memory.

mod budgets;
mod evaluation;

use std::sync::Arc;

use genesis_schema::{Edges, Frame, GraphBatch, Seeds, Stream};

use super::dataset::StructuresDataset;
use super::neighbors::neighbor_list;
use crate::dataset::Prefetch;
use crate::dataset::Split;
use crate::dataset::cursor::{Cursor, Shares};
use crate::dataset::order::Order;
use crate::error::{DataError, Result};
pub use budgets::Budgets;
use budgets::Packer;
pub use evaluation::HeldOutStructures;

/// What one rank of a run loads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StructuresLoaderPlan {
    /// Atoms closer than this are joined by edges, Å.
    pub cutoff: f64,
    /// Structures of an optimizer step over all ranks; a multiple of `world`.
    pub frames_per_step: usize,
    /// What one batch may hold.
    pub budgets: Budgets,
    /// This rank, in `0..world`.
    pub rank: usize,
    /// Number of ranks.
    pub world: usize,
    /// Seed of the run.
    pub seed: u64,
}

/// Makes the batches of one rank.
#[derive(Debug)]
pub struct StructuresLoader {
    dataset: Arc<StructuresDataset>,
    plan: StructuresLoaderPlan,
    cursor: Cursor,
    order: Stream,
}

impl StructuresLoader {
    /// Checks the plan against the dataset.
    ///
    /// # Errors
    /// A cut-off that is no length, budgets of zero, a step that does not divide by ranks or is
    /// larger than the training split; each names the numbers.
    pub fn new(dataset: Arc<StructuresDataset>, plan: StructuresLoaderPlan) -> Result<Self> {
        if !(plan.cutoff.is_finite() && plan.cutoff > 0.0) {
            let found = format!("it is {}", plan.cutoff);
            return Err(DataError::invalid("cutoff", found, "choose a length in Å, such as 5.0"));
        }
        plan.budgets.check()?;
        let shares = Shares {
            key: "batch.frames",
            noun: "structures",
            per_step: plan.frames_per_step,
            accumulation: 1,
            rank: plan.rank,
            world: plan.world,
        };
        let cursor = Cursor::new(&shares, dataset.num_frames(Split::Train))?;
        let order = Seeds::new(plan.seed).stream("loader/order");
        Ok(Self { dataset, plan, cursor, order })
    }

    /// The batches of this rank in `step`, each within the budgets: a pure function.
    ///
    /// # Errors
    /// A structure that alone exceeds the budgets, by file and line; damage in a shard.
    pub fn step(&self, step: u64) -> Result<Vec<GraphBatch>> {
        let mut packer = Packer::new(self.plan.budgets);
        for sample in self.cursor.slices(step)?.flatten() {
            let (epoch, position) = self.cursor.place(sample);
            let index = Order::new(self.cursor.per_epoch(), self.order, epoch).at(position);
            let (frame, edges) = self.graph(Split::Train, index)?;
            packer.push(frame, &edges, index);
        }
        Ok(packer.finish())
    }

    /// Structures of one epoch.
    pub fn frames_per_epoch(&self) -> u64 {
        self.cursor.per_epoch()
    }

    /// Structures that all ranks together consumed before `step`: the state of the loader.
    pub fn position(&self, step: u64) -> Result<u64> {
        self.cursor.position(step)
    }

    /// The plan it was made from.
    pub fn plan(&self) -> &StructuresLoaderPlan {
        &self.plan
    }

    /// The dataset it reads.
    pub fn dataset(&self) -> &Arc<StructuresDataset> {
        &self.dataset
    }

    /// Prepares steps from `first_step` on, neighbour lists included, `depth` of them ahead.
    pub fn prefetch(self: Arc<Self>, first_step: u64, depth: usize) -> Prefetch<GraphBatch> {
        Prefetch::new(first_step, depth, move |step| self.step(step))
    }

    /// A split in fixed order, or `max_frames` of it evenly spread, within the same budgets: the
    /// same batches at every evaluation of every run.
    pub fn evaluation(&self, split: Split, max_frames: Option<usize>) -> HeldOutStructures<'_> {
        HeldOutStructures::new(self, split, max_frames)
    }

    /// A structure with its edges, which together fit an empty batch.
    fn graph(&self, split: Split, index: u64) -> Result<(Frame, Edges)> {
        let stored = self.dataset.frame(split, index)?;
        let frame = stored.frame;
        let what = || {
            let source = self.dataset.card().sources.get(stored.source as usize);
            let file = source.map_or("an unknown file", |source| source.path.as_str());
            format!("{} structure {index} ({file}:{})", split.name(), stored.line)
        };
        let edges = neighbor_list(&frame.positions, &frame.cell, frame.periodic, self.plan.cutoff)
            .map_err(|e| DataError::invalid(what(), e.to_string(), "remove it and ingest again"))?;
        let (atoms, num_edges) = (frame.atomic_numbers.len(), edges.len());
        if self.plan.budgets.hold(atoms, num_edges) {
            return Ok((frame, edges));
        }
        let Budgets { max_atoms, max_edges } = self.plan.budgets;
        let problem = format!(
            "it has {atoms} atoms and {num_edges} edges within {} Å, a batch holds {max_atoms} \
             atoms and {max_edges} edges",
            self.plan.cutoff
        );
        let fix = format!(
            "raise batch.max_atoms to at least {atoms} and batch.max_edges to at least \
             {num_edges}, shorten the cut-off, or leave the structure out"
        );
        Err(DataError::invalid(what(), problem, fix))
    }
}
