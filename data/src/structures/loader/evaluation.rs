//! A held-out split in fixed order.

use genesis_schema::{Edges, Frame, GraphBatch};

use super::StructuresLoader;
use super::budgets::Packer;
use crate::dataset::Split;
use crate::dataset::order::spread;
use crate::error::Result;

/// Iterator over the batches of a split.
#[derive(Debug)]
pub struct HeldOutStructures<'a> {
    loader: &'a StructuresLoader,
    source: usize,
    split: Split,
    total: u64,
    wanted: u64,
    next: u64,
    /// A structure that did not fit the batch before.
    held: Option<(Frame, Edges, u64)>,
}

impl<'a> HeldOutStructures<'a> {
    pub(super) fn new(
        loader: &'a StructuresLoader,
        source: usize,
        split: Split,
        max: Option<usize>,
    ) -> Self {
        let total = loader.corpus.members()[source].dataset.num_frames(split);
        let wanted = max.map_or(total, |max| total.min(max as u64));
        Self { loader, source, split, total, wanted, next: 0, held: None }
    }

    /// Structures it will deliver in all; 0 when nothing was held out.
    pub fn num_frames(&self) -> u64 {
        self.wanted
    }

    fn batch(&mut self) -> Result<Option<GraphBatch>> {
        let mut packer = Packer::new(self.loader.plan.budgets);
        if let Some((frame, edges, index)) = self.held.take() {
            packer.push(frame, &edges, index, None);
        }
        while self.next < self.wanted {
            let index = spread(self.next, self.wanted, self.total);
            let (frame, edges) = self.loader.graph(self.source, self.split, index)?;
            self.next += 1;
            if !packer.fits(frame.atomic_numbers.len(), edges.len()) {
                self.held = Some((frame, edges, index));
                break;
            }
            packer.push(frame, &edges, index, None);
        }
        Ok(packer.finish().pop())
    }
}

impl Iterator for HeldOutStructures<'_> {
    type Item = Result<GraphBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batch();
        if batch.is_err() {
            // After an error there is nothing to go on with.
            (self.next, self.held) = (self.wanted, None);
        }
        batch.transpose()
    }
}
