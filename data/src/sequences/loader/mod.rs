//! From a dataset to batches: which samples, in which order, as which tokens.
//!
//! Reading order: [`crate::dataset::loader`] (which samples are ours), `causal` and `masked` (their
//! tokens), [`validation`].
//!
//! Not here: which of several datasets a sample is of (`dataset::mixture`).

mod causal;
mod labels;
mod masked;
pub mod validation;

use std::sync::Arc;

use genesis_schema::{Seeds, TokenBatch};

use crate::dataset::Mixture;
use crate::dataset::cursor::Shares;
use crate::dataset::loader::{Epochs, Loader, Visit, Visits};
use crate::dataset::order::spread_over;
use crate::error::Result;
use crate::sequences::{SequencesCorpus, SequencesDataset};
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
    corpus: SequencesCorpus,
    /// How samples of each source are made.
    sources: Vec<HeldOut>,
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
        Self::seeded(dataset, objective, Seeds::new(seed))
    }

    fn seeded(dataset: Arc<SequencesDataset>, objective: Objective, seeds: Seeds) -> Result<Self> {
        let tokenizer = &dataset.card().part.tokenizer;
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

    /// Samples of an epoch of training.
    fn per_epoch(&self) -> Result<u64> {
        match &self.samples {
            Samples::Causal(blocks) => blocks.per_epoch(&self.dataset),
            Samples::Masked(_) => MaskedDocuments::per_epoch(&self.dataset),
        }
    }

    /// Appends a training sample.
    fn push(&self, visit: &Visit, batch: &mut TokenBatch) -> Result<()> {
        match &self.samples {
            Samples::Causal(blocks) => {
                blocks.push(&self.dataset, (visit.epoch, visit.index), batch)
            }
            Samples::Masked(documents) => {
                documents.push(&self.dataset, visit.index, visit.number, batch)
            }
        }
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
    /// Checks the plan against the only dataset of a run.
    ///
    /// # Errors
    /// A step that does not divide by ranks and slices, a dataset smaller than one block or one
    /// step, a masked objective without a mask token; each names the numbers.
    pub fn new(dataset: Arc<SequencesDataset>, plan: SequencesLoaderPlan) -> Result<Self> {
        Self::mixed(SequencesCorpus::sole(dataset), Arc::new(Mixture::sole()), plan)
    }

    /// As [`SequencesLoader::new`], of datasets drawn from as `mixture` says, which is of as many sources.
    ///
    /// # Errors
    /// As there; a source may be smaller than a step.
    pub fn mixed(
        corpus: SequencesCorpus,
        mixture: Arc<Mixture>,
        plan: SequencesLoaderPlan,
    ) -> Result<Self> {
        let seeds = Seeds::new(plan.seed);
        let (mut sources, mut epochs) = (Vec::new(), Vec::new());
        for member in corpus.members() {
            let seeds = member.seeds(seeds);
            let source = HeldOut::seeded(Arc::clone(&member.dataset), plan.objective, seeds)?;
            let samples = source.per_epoch().map_err(|error| corpus.of(member, error))?;
            epochs.push(Epochs::new(samples, seeds));
            sources.push(source);
        }
        let shares = Shares {
            key: "batch.sequences",
            noun: "sequences",
            per_step: plan.sequences_per_step,
            accumulation: plan.accumulation,
            rank: plan.rank,
            world: plan.world,
        };
        let visits = Visits::new(&shares, mixture, epochs)?;
        Ok(Self { corpus, sources, plan, visits })
    }

    /// The plan it was made from.
    pub fn plan(&self) -> &SequencesLoaderPlan {
        &self.plan
    }

    /// The datasets it reads.
    pub fn corpus(&self) -> &SequencesCorpus {
        &self.corpus
    }

    /// The first of these, for what all have in common.
    pub fn dataset(&self) -> &Arc<SequencesDataset> {
        self.corpus.first()
    }

    /// The validation split of the first dataset in fixed order, or `max_sequences` of it, evenly spread.
    pub fn validation(
        &self,
        max_sequences: Option<usize>,
        sequences_per_batch: usize,
    ) -> Validation<'_> {
        self.sources[0].batches(max_sequences, sequences_per_batch)
    }

    /// The validation splits of the sources `of`, by index, one after the other in fixed order, or
    /// `max_sequences` of all, evenly spread.
    pub fn validations(
        &self,
        of: &[usize],
        max_sequences: Option<usize>,
        sequences_per_batch: usize,
    ) -> Vec<Validation<'_>> {
        let whole = |&source: &usize| self.sources[source].batches(None, 1).num_sequences();
        let sizes: Vec<u64> = of.iter().map(whole).collect();
        let wanted = spread_over(&sizes, max_sequences);
        let sources = of.iter().map(|&source| &self.sources[source]).zip(wanted);
        sources.map(|(source, wanted)| source.batches(Some(wanted), sequences_per_batch)).collect()
    }

    fn batch(&self, visits: impl Iterator<Item = Visit>) -> Result<TokenBatch> {
        let mut batch = TokenBatch::default();
        for visit in visits {
            let before = batch.num_tokens();
            self.sources[visit.source].push(&visit, &mut batch)?;
            let units = batch.num_tokens() - before;
            batch.samples.push(visit.sample(units));
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
