//! What every loader does: steps as functions of their number, and where a run is in its data.
//!
//! A step is a pure function of `(dataset, plan, step)`. The position of a run is one integer, the
//! number of samples consumed, and any number of ranks sees the same global sequence.
//! Not here: what becomes of a sample, which each kind says.

use std::ops::Range;
use std::sync::Arc;

use genesis_schema::{Seeds, Stream};

use crate::dataset::cursor::{Cursor, Shares};
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

    /// Samples of one epoch.
    fn samples_per_epoch(&self) -> u64 {
        self.visits().cursor.per_epoch()
    }

    /// Prepares steps from `first_step` on, `depth` of them ahead of time.
    fn prefetch(self: Arc<Self>, first_step: u64, depth: usize) -> Prefetch<Vec<Self::Batch>>
    where
        Self: Sized,
    {
        Prefetch::new(first_step, depth, move |step| self.parts(step))
    }
}

/// Which samples come when: the share of a rank in the keyed order of every epoch.
#[derive(Debug, Clone, Copy)]
pub struct Visits {
    pub(crate) cursor: Cursor,
    order: Stream,
}

/// A sample when it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// Its number among all samples of all epochs.
    pub(crate) sample: u64,
    pub(crate) epoch: u64,
    /// Which sample of the training split it is.
    pub(crate) index: u64,
}

impl Visits {
    /// The share that `shares` describes of epochs of `per_epoch` samples.
    pub(crate) fn new(shares: &Shares, per_epoch: u64, seeds: Seeds) -> Result<Self> {
        let cursor = Cursor::new(shares, per_epoch)?;
        Ok(Self { cursor, order: seeds.stream("loader/order") })
    }

    /// What this rank takes in `step`, one list per accumulation slice.
    pub(crate) fn slices(
        &self,
        step: u64,
    ) -> Result<impl Iterator<Item = impl Iterator<Item = Visit>>> {
        let visits = *self;
        let visit = move |samples: Range<u64>| samples.map(move |sample| visits.visit(sample));
        Ok(self.cursor.slices(step)?.map(visit))
    }

    fn visit(&self, sample: u64) -> Visit {
        let (epoch, position) = self.cursor.place(sample);
        let index = Order::new(self.cursor.per_epoch(), self.order, epoch).at(position);
        Visit { sample, epoch, index }
    }
}
