//! From a dataset of structures to batches of graphs: which structures, in which order.
//!
//! Which structures are ours is said by [`crate::dataset::loader`]. A step is a number of
//! structures, so what a step means does not depend on memory; `budgets` divides the part of a rank
//! into batches that fit.
//!
//! Not here: the loss. Terms are to be summed over the batches of a step and divided by the counts
//! of the whole step; then the division changes nothing but memory.

mod budgets;
mod evaluation;

use std::sync::Arc;

use genesis_schema::{Edges, Frame, GraphBatch, Seeds};

use super::card::StructuresPart;
use super::dataset::{StructuresCorpus, StructuresDataset};
use super::neighbors::neighbor_list;
use crate::dataset::cursor::Shares;
use crate::dataset::loader::{Epochs, Loader, Visit, Visits};
use crate::dataset::{Member, Mixture, Split};
use crate::error::{DataError, Result};
pub use budgets::Budgets;
use budgets::Packer;
pub use evaluation::HeldOutStructures;

/// What one rank of a run loads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StructuresLoaderPlan {
    /// Atoms closer than this are joined by edges, Å.
    pub cutoff: f64,
    /// Structures of an optimizer step over all ranks; a multiple of `world * parts`.
    pub frames_per_step: usize,
    /// Parts of a rank's share whose gradients are summed apart.
    pub parts: usize,
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
    corpus: StructuresCorpus,
    plan: StructuresLoaderPlan,
    visits: Visits,
}

impl StructuresLoader {
    /// Checks the plan against the only dataset of a run.
    ///
    /// # Errors
    /// A cut-off that is no length, budgets of zero, a step that does not divide by ranks or is
    /// larger than the training split; each names the numbers.
    pub fn new(dataset: Arc<StructuresDataset>, plan: StructuresLoaderPlan) -> Result<Self> {
        Self::mixed(StructuresCorpus::sole(dataset), Arc::new(Mixture::sole()), plan)
    }

    /// As [`StructuresLoader::new`], of datasets drawn from as `mixture` says, which is of as many sources.
    ///
    /// # Errors
    /// As there, and a source without training structures; one may be smaller than a step.
    pub fn mixed(
        corpus: StructuresCorpus,
        mixture: Arc<Mixture>,
        plan: StructuresLoaderPlan,
    ) -> Result<Self> {
        if !(plan.cutoff.is_finite() && plan.cutoff > 0.0) {
            let found = format!("it is {}", plan.cutoff);
            return Err(DataError::invalid("cutoff", found, "choose a length in Å, such as 5.0"));
        }
        plan.budgets.check()?;
        let shares = Shares {
            key: "batch.frames",
            noun: "structures",
            per_step: plan.frames_per_step,
            accumulation: plan.parts,
            rank: plan.rank,
            world: plan.world,
        };
        let epochs = epochs(&corpus, Seeds::new(plan.seed))?;
        let visits = Visits::new(&shares, mixture, epochs)?;
        Ok(Self { corpus, plan, visits })
    }

    /// The plan it was made from.
    pub fn plan(&self) -> &StructuresLoaderPlan {
        &self.plan
    }

    /// The datasets it reads.
    pub fn corpus(&self) -> &StructuresCorpus {
        &self.corpus
    }

    /// The first of these, for what all have in common.
    pub fn dataset(&self) -> &Arc<StructuresDataset> {
        self.corpus.first()
    }

    /// A split of the first dataset in fixed order, or `max_frames` of it evenly spread, within the same
    /// budgets: the same batches at every evaluation of every run.
    pub fn evaluation(&self, split: Split, max_frames: Option<usize>) -> HeldOutStructures<'_> {
        self.evaluation_of(0, split, max_frames)
    }

    /// As [`StructuresLoader::evaluation`], of the source with an index.
    pub fn evaluation_of(
        &self,
        source: usize,
        split: Split,
        max_frames: Option<usize>,
    ) -> HeldOutStructures<'_> {
        HeldOutStructures::new(self, source, split, max_frames)
    }

    fn pack(&self, visits: impl Iterator<Item = Visit>) -> Result<Vec<GraphBatch>> {
        let mut packer = Packer::new(self.plan.budgets);
        for visit in visits {
            let (frame, edges) = self.graph(visit.source, Split::Train, visit.index)?;
            let sample = visit.sample(frame.atomic_numbers.len());
            packer.push(frame, &edges, visit.index, Some(sample));
        }
        Ok(packer.finish())
    }

    /// A structure with its edges, which together fit an empty batch.
    fn graph(&self, source: usize, split: Split, index: u64) -> Result<(Frame, Edges)> {
        let dataset = &self.corpus.members()[source].dataset;
        let stored = dataset.frame(split, index)?;
        let frame = stored.frame;
        let what = || {
            let source = dataset.card().sources.get(stored.source as usize);
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

/// Epochs of each dataset of `corpus`, in its own order.
fn epochs(corpus: &StructuresCorpus, seeds: Seeds) -> Result<Vec<Epochs>> {
    let several = corpus.members().len() > 1;
    let of = |member: &Member<StructuresPart>| match member.dataset.num_frames(Split::Train) {
        0 if several => {
            let what = format!("data.mixture {:?}", member.name);
            let problem = "its training split has 0 structures";
            Err(DataError::invalid(what, problem, "leave it out, or hold out a smaller part of it"))
        }
        frames => Ok(Epochs::new(frames, member.seeds(seeds))),
    };
    corpus.members().iter().map(of).collect()
}

/// Every batch is within the budgets; a structure that alone exceeds them is an error by file and
/// line.
impl Loader for StructuresLoader {
    type Batch = GraphBatch;

    fn visits(&self) -> &Visits {
        &self.visits
    }

    fn parts(&self, step: u64) -> Result<Vec<Vec<GraphBatch>>> {
        let pack = |visits| self.pack(visits);
        self.visits.slices(step)?.map(pack).collect()
    }
}
