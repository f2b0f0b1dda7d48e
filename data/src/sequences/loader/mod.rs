//! From a dataset to batches: which samples, in which order, as which tokens.
//!
//! Reading order: [`crate::dataset::loader`] (which samples are ours), `causal` and `masked` (their
//! tokens), `packed` (rows of whole documents of either), [`validation`].
//!
//! Not here: which of several datasets a sample is of (`dataset::mixture`).

mod causal;
mod labels;
mod masked;
mod packed;
pub mod validation;

use std::sync::Arc;

use genesis_schema::{Seeds, TokenBatch};

use crate::dataset::Mixture;
use crate::dataset::cursor::Shares;
use crate::dataset::loader::{Epochs, Loader, Visit, Visits};
use crate::dataset::order::spread_over;
use crate::error::Result;
use crate::sequences::packing::{Packing, Rows};
use crate::sequences::{Segment, SequencesCorpus, SequencesDataset};
use causal::CausalBlocks;
use masked::MaskedDocuments;
use packed::PackedRows;
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
    /// Rows of training, where documents are packed.
    packed: Option<PackedRows>,
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
        Ok(Self { dataset, samples, packed: None })
    }

    /// The epochs of training, samples in the order of `seeds`.
    fn epochs(&self, seeds: Seeds) -> Result<Epochs> {
        match &self.packed {
            Some(packed) => Ok(Epochs::in_order(packed.per_epoch())),
            None => Ok(Epochs::new(self.per_epoch()?, seeds)),
        }
    }

    /// Samples of an epoch of training that is not packed.
    fn per_epoch(&self) -> Result<u64> {
        match &self.samples {
            Samples::Causal(blocks) => blocks.per_epoch(&self.dataset),
            Samples::Masked(_) => MaskedDocuments::per_epoch(&self.dataset),
        }
    }

    /// `visit` with the sample that it is.
    fn placed(&self, visit: Visit) -> Visit {
        self.packed.as_ref().map_or(visit, |packed| packed.placed(visit))
    }

    /// Appends a training sample.
    fn push(&self, visit: &Visit, batch: &mut TokenBatch) -> Result<()> {
        if let Some(packed) = &self.packed {
            return packed.push((&self.dataset, &self.samples), visit, batch);
        }
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

impl Samples {
    /// Whether the model has something to learn from the segments.
    fn are_labelled(&self, segments: &[Segment<'_>]) -> bool {
        match self {
            Self::Causal(blocks) => blocks.are_labelled(segments),
            Self::Masked(documents) => documents.are_labelled(segments),
        }
    }

    /// Appends whole segments, as the `sample`-th sample of the run.
    fn push_segments(&self, segments: &[Segment<'_>], sample: u64, batch: &mut TokenBatch) {
        match self {
            Self::Causal(blocks) => blocks.push_segments(segments, batch),
            Self::Masked(documents) => documents.push_segments(segments, sample, batch),
        }
    }
}

/// The rows of the training split of every dataset of `corpus`, in order, in a run of `seed`.
///
/// # Errors
/// As [`Rows::plan`], with the name of the dataset.
pub fn rows_of(corpus: &SequencesCorpus, packing: Packing, seed: u64) -> Result<Vec<Arc<Rows>>> {
    let rows = corpus.members().iter().map(|member| {
        let rows = Rows::plan(&member.dataset, packing, member.seeds(Seeds::new(seed)));
        rows.map(Arc::new).map_err(|error| corpus.of(member, error))
    });
    rows.collect()
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
        Self::packed(corpus, mixture, plan, &[])
    }

    /// As [`SequencesLoader::mixed`]; samples are the `rows` of each source, where there are any: see [`rows_of`].
    ///
    /// # Errors
    /// As there.
    pub fn packed(
        corpus: SequencesCorpus,
        mixture: Arc<Mixture>,
        plan: SequencesLoaderPlan,
        rows: &[Arc<Rows>],
    ) -> Result<Self> {
        let members = corpus.members().len();
        assert!(rows.is_empty() || rows.len() == members, "rows of every source, or of none");
        let seeds = Seeds::new(plan.seed);
        let (mut sources, mut epochs) = (Vec::new(), Vec::new());
        for (place, member) in corpus.members().iter().enumerate() {
            let seeds = member.seeds(seeds);
            let mut source = HeldOut::seeded(Arc::clone(&member.dataset), plan.objective, seeds)?;
            source.packed = rows.get(place).map(|rows| PackedRows::new(Arc::clone(rows), seeds));
            epochs.push(source.epochs(seeds).map_err(|error| corpus.of(member, error))?);
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

    /// Tokens of a sample that is full; 0 where samples are documents, most of which are far from it.
    fn tokens_at_once(&self) -> usize {
        match (self.sources.iter().any(|it| it.packed.is_some()), self.plan.objective) {
            (_, Objective::Causal { context }) | (true, Objective::Masked { context, .. }) => {
                context
            }
            (false, Objective::Masked { .. }) => 0,
        }
    }

    fn batch(&self, visits: impl Iterator<Item = Visit>) -> Result<TokenBatch> {
        let mut batch = TokenBatch::with_room(visits.size_hint().0 * self.tokens_at_once());
        for visit in visits {
            let (before, source) = (batch.num_tokens(), &self.sources[visit.source]);
            let visit = source.placed(visit);
            source.push(&visit, &mut batch)?;
            let units = batch.num_tokens() - before;
            batch.samples.push(visit.sample(units));
        }
        Ok(batch)
    }
}

/// Samples are blocks (causal), documents (masked) or rows of documents (packed); a step has one batch per accumulation slice.
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
