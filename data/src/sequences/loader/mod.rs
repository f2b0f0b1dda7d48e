//! From a dataset to batches: which samples, in which order, as which tokens.
//!
//! Reading order: [`crate::dataset::loader`] (which samples are ours), `causal` and `masked` (their
//! tokens), [`validation`].
//!
//! Not here: mixing datasets.

mod causal;
mod labels;
mod masked;
pub mod validation;

use std::sync::Arc;

use genesis_schema::{Seeds, TokenBatch};

use crate::dataset::cursor::Shares;
use crate::dataset::loader::{Loader, Visit, Visits};
use crate::error::Result;
use crate::sequences::SequencesDataset;
use causal::CausalBlocks;
use masked::MaskedDocuments;
pub use validation::Validation;

/// What a sample asks of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// Predict the next token in blocks of `context` tokens.
    Causal {
        /// Tokens in a block.
        context: usize,
    },
    /// Predict hidden tokens in whole documents.
    Masked {
        /// Longest window of a document, tokens.
        context: usize,
        /// Probability that a token is chosen, in `(0, 1]`.
        rate: f64,
    },
}

/// What one rank of a run loads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequencesLoaderPlan {
    /// What a sample asks of the model.
    pub objective: Objective,
    /// Samples of an optimizer step over all ranks; a multiple of `world * accumulation`.
    pub sequences_per_step: usize,
    /// Batches into which a rank divides its part of a step.
    pub accumulation: usize,
    /// Whether gradients of these batches are summed apart, in an order that does not depend on ranks.
    pub apart: bool,
    /// This rank, in `0..world`.
    pub rank: usize,
    /// Number of ranks.
    pub world: usize,
    /// Seed of the run.
    pub seed: u64,
}

/// Makes the batches of one rank.
#[derive(Debug)]
pub struct SequencesLoader {
    held_out: HeldOut,
    plan: SequencesLoaderPlan,
    visits: Visits,
}

/// Makes the batches of the validation split. It needs no training split beside it.
#[derive(Debug)]
pub struct HeldOut {
    dataset: Arc<SequencesDataset>,
    samples: Samples,
}

#[derive(Debug)]
enum Samples {
    Causal(CausalBlocks),
    Masked(MaskedDocuments),
}

impl HeldOut {
    /// Checks the objective against the dataset. `seed` shapes samples of training only.
    ///
    /// # Errors
    /// A context or a rate that cannot be, a masked objective without a mask token.
    pub fn new(dataset: Arc<SequencesDataset>, objective: Objective, seed: u64) -> Result<Self> {
        let (seeds, tokenizer) = (Seeds::new(seed), &dataset.card().part.tokenizer);
        let samples = match objective {
            Objective::Causal { context } => {
                Samples::Causal(CausalBlocks::new(tokenizer, context, seeds)?)
            }
            Objective::Masked { context, rate } => {
                Samples::Masked(MaskedDocuments::new(tokenizer, context, rate, seeds)?)
            }
        };
        Ok(Self { dataset, samples })
    }

    /// The validation split in fixed order, or `max_sequences` of it, evenly spread.
    pub fn batches(
        &self,
        max_sequences: Option<usize>,
        sequences_per_batch: usize,
    ) -> Validation<'_> {
        Validation::new(self, max_sequences, sequences_per_batch)
    }
}

impl SequencesLoader {
    /// Checks the plan against the dataset.
    ///
    /// # Errors
    /// A step that does not divide by ranks and slices, a dataset smaller than one block or one
    /// step, a masked objective without a mask token; each names the numbers.
    pub fn new(dataset: Arc<SequencesDataset>, plan: SequencesLoaderPlan) -> Result<Self> {
        let held_out = HeldOut::new(dataset, plan.objective, plan.seed)?;
        let per_epoch = match &held_out.samples {
            Samples::Causal(blocks) => blocks.per_epoch(&held_out.dataset)?,
            Samples::Masked(_) => MaskedDocuments::per_epoch(&held_out.dataset)?,
        };
        let shares = Shares {
            key: "batch.sequences",
            noun: "sequences",
            per_step: plan.sequences_per_step,
            accumulation: plan.accumulation,
            rank: plan.rank,
            world: plan.world,
        };
        let visits = Visits::new(&shares, per_epoch, Seeds::new(plan.seed))?;
        Ok(Self { held_out, plan, visits })
    }

    /// The plan it was made from.
    pub fn plan(&self) -> &SequencesLoaderPlan {
        &self.plan
    }

    /// The dataset it reads.
    pub fn dataset(&self) -> &Arc<SequencesDataset> {
        &self.held_out.dataset
    }

    /// The validation split in fixed order, or `max_sequences` of it, evenly spread.
    pub fn validation(
        &self,
        max_sequences: Option<usize>,
        sequences_per_batch: usize,
    ) -> Validation<'_> {
        self.held_out.batches(max_sequences, sequences_per_batch)
    }

    fn batch(&self, samples: impl Iterator<Item = Visit>) -> Result<TokenBatch> {
        let HeldOut { dataset, samples: of } = &self.held_out;
        let mut batch = TokenBatch::default();
        for Visit { sample, epoch, index } in samples {
            match of {
                Samples::Causal(blocks) => blocks.push(dataset, (epoch, index), &mut batch)?,
                Samples::Masked(documents) => {
                    documents.push(dataset, index, sample, &mut batch)?;
                }
            }
        }
        Ok(batch)
    }
}

/// Samples are blocks (causal) or documents (masked); a step has one batch per accumulation slice.
impl Loader for SequencesLoader {
    type Batch = TokenBatch;

    fn visits(&self) -> &Visits {
        &self.visits
    }

    fn parts(&self, step: u64) -> Result<Vec<Vec<TokenBatch>>> {
        let batches = self.visits.slices(step)?.map(|samples| self.batch(samples));
        if self.plan.apart {
            return batches.map(|batch| Ok(vec![batch?])).collect();
        }
        Ok(vec![batches.collect::<Result<_>>()?])
    }
}
