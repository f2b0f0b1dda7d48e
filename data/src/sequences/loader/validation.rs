//! The validation split in fixed order: the same batches at every evaluation of every run.
//!
//! Causal: consecutive blocks, each token labelled once. Masked: documents, cropped and corrupted
//! by their id with a fixed seed, so figures of runs with different seeds can be compared.

use genesis_schema::TokenBatch;

use crate::dataset::Split;
use crate::dataset::order::spread;
use crate::error::Result;
use crate::sequences::loader::{HeldOut, Samples};

/// Iterator over validation batches.
#[derive(Debug)]
pub struct Validation<'a> {
    of: &'a HeldOut,
    total: u64,
    wanted: u64,
    per_batch: u64,
    next: u64,
}

impl<'a> Validation<'a> {
    pub(crate) fn new(of: &'a HeldOut, max: Option<usize>, per_batch: usize) -> Self {
        let total = match &of.samples {
            Samples::Causal(blocks) => blocks.num_validation(&of.dataset),
            Samples::Masked(_) => of.dataset.num_documents(Split::Validation),
        };
        let wanted = max.map_or(total, |max| total.min(max as u64));
        Self { of, total, wanted, per_batch: per_batch.max(1) as u64, next: 0 }
    }

    /// Sequences it will deliver in all; 0 when nothing was held out.
    pub fn num_sequences(&self) -> u64 {
        self.wanted
    }

    fn batch(&self, end: u64) -> Result<TokenBatch> {
        let dataset = &self.of.dataset;
        let mut batch = TokenBatch::default();
        for i in self.next..end {
            let index = spread(i, self.wanted, self.total);
            match &self.of.samples {
                Samples::Causal(blocks) => blocks.push_validation(dataset, index, &mut batch)?,
                Samples::Masked(docs) => docs.push_validation(dataset, index, &mut batch)?,
            }
        }
        Ok(batch)
    }
}

impl Iterator for Validation<'_> {
    type Item = Result<TokenBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.wanted {
            return None;
        }
        let end = self.wanted.min(self.next + self.per_batch);
        let batch = self.batch(end);
        // After an error there is nothing to go on with.
        self.next = if batch.is_ok() { end } else { self.wanted };
        Some(batch)
    }

    /// Batches before are not made.
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.next = self.next.saturating_add((n as u64).saturating_mul(self.per_batch));
        self.next()
    }
}
