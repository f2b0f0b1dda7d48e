//! What every loader does: steps as functions of their number, and where a run is in its data.
//!
//! A step is a pure function of `(dataset, plan, step)`. The position of a run is one integer, the
//! number of samples consumed, and any number of ranks sees the same global sequence.
//! Not here: what becomes of a sample, which each kind says.

use std::ops::Range;
use std::sync::Arc;

use genesis_schema::{Sample, Seeds, Stream};

use crate::dataset::cursor::{Cursor, Shares};
use crate::dataset::mixture::{Draw, Mixture};
use crate::dataset::order::Order;
use crate::dataset::prefetch::Prefetch;
use crate::error::Result;

/// Makes the batches of one rank.
pub trait Loader: Send + Sync + 'static {
    /// Samples side by side.
    type Batch: Send + 'static;

    /// Which samples come when.
    fn visits(&self) -> &Visits;

    /// The batches of this rank in `step`, by the parts of the step whose gradients are summed apart: a
    /// pure function.
    ///
    /// # Errors
    /// Damage in a shard; a sample that fits no batch; a step beyond counting.
    fn parts(&self, step: u64) -> Result<Vec<Vec<Self::Batch>>>;

    /// The batches of all parts.
    ///
    /// # Errors
    /// As [`Loader::parts`].
    fn step(&self, step: u64) -> Result<Vec<Self::Batch>> {
        Ok(self.parts(step)?.into_iter().flatten().collect())
    }

    /// Samples that all ranks together consumed before `step`: the state of the loader.
    ///
    /// # Errors
    /// A step beyond counting.
    fn position(&self, step: u64) -> Result<u64> {
        self.visits().cursor.position(step)
    }

    /// Samples of one epoch of every source.
    fn samples_per_epoch(&self) -> u64 {
        self.visits().sources.iter().map(|source| source.samples).sum()
    }

    /// Prepares steps from `first_step` on, `depth` of them ahead of time.
    fn prefetch(self: Arc<Self>, first_step: u64, depth: usize) -> Prefetch<Vec<Self::Batch>>
    where
        Self: Sized,
    {
        Prefetch::new(first_step, depth, move |step| self.parts(step))
    }
}

/// Which samples come when: the share of a rank in the order of a mixture, each source in its own keyed
/// order of every epoch.
#[derive(Debug, Clone)]
pub struct Visits {
    pub(crate) cursor: Cursor,
    mixture: Arc<Mixture>,
    sources: Arc<[Epochs]>,
}

/// The epochs of one source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epochs {
    pub(crate) samples: u64,
    /// Absent where the source puts its samples in an order of its own.
    order: Option<Stream>,
}

impl Epochs {
    /// Epochs of so many samples in the order of `seeds`.
    pub(crate) fn new(samples: u64, seeds: Seeds) -> Self {
        Self { samples, order: Some(seeds.stream("loader/order")) }
    }

    /// Epochs of so many samples: the index of a visit is its place in the epoch.
    pub(crate) fn in_order(samples: u64) -> Self {
        Self { samples, order: None }
    }
}

/// A sample when it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// Its number among all samples of the run.
    pub(crate) position: u64,
    /// Index of its source.
    pub(crate) source: usize,
    /// Its number among all samples of all epochs of its source.
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    /// Which sample of the training split it is, or its place in the epoch.
    pub(crate) index: u64,
}

impl Visit {
    /// The sample that it is, with its tokens or atoms.
    pub(crate) fn sample(&self, units: usize) -> Sample {
        Sample {
            position: self.position,
            source: u32::try_from(self.source).expect("an index of a few sources"),
            epoch: self.epoch,
            index: self.index,
            units: u32::try_from(units).expect("a batch has fewer than 2^32 of them"),
        }
    }
}

impl Visits {
    /// The share that `shares` describes of `sources` in the order of `mixture`.
    pub(crate) fn new(
        shares: &Shares,
        mixture: Arc<Mixture>,
        sources: Vec<Epochs>,
    ) -> Result<Self> {
        let cursor = Cursor::new(shares)?;
        assert_eq!(mixture.num_sources(), sources.len(), "a mixture of these sources");
        if let [only] = sources.as_slice() {
            shares.fit(only.samples)?;
        }
        Ok(Self { cursor, mixture, sources: sources.into() })
    }

    /// What this rank takes in `step`, one list per accumulation slice.
    pub(crate) fn slices(
        &self,
        step: u64,
    ) -> Result<impl Iterator<Item = impl Iterator<Item = Visit>>> {
        let visits = self.clone();
        let slices = self.cursor.slices(step)?;
        Ok(slices.map(move |positions: Range<u64>| {
            let visits = visits.clone();
            positions.map(move |position| visits.visit(position))
        }))
    }

    fn visit(&self, position: u64) -> Visit {
        let Draw { source, number } = self.mixture.at(position);
        let Epochs { samples, order } = self.sources[source];
        let (epoch, place) = (number / samples, number % samples);
        let index = order.map_or(place, |order| Order::new(samples, order, epoch).at(place));
        Visit { position, source, number, epoch, index }
    }
}
