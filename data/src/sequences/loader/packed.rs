//! Samples that are rows of whole documents, as `packing` plans them.
//!
//! Every document is a segment of its own: attention stays inside, positions restart, and its last token has no label.
//! A piece of a document longer than a row has the label of the token behind it, as a block of a causal objective.
//!
//! A row without a label, as in a long run of `N`, gives its place to another one, drawn by its number.

use std::sync::Arc;

use genesis_schema::{Seeds, Stream, TokenBatch};

use super::Samples;
use super::labels::DRAWS;
use crate::dataset::Split;
use crate::dataset::loader::Visit;
use crate::error::Result;
use crate::sequences::packing::Rows;
use crate::sequences::{Segment, SequencesDataset};

/// The rows of a source.
#[derive(Debug)]
pub(crate) struct PackedRows {
    rows: Arc<Rows>,
    redraw: Stream,
}

impl PackedRows {
    pub(crate) fn new(rows: Arc<Rows>, seeds: Seeds) -> Self {
        Self { rows, redraw: seeds.stream("loader/redraw") }
    }

    pub(crate) fn per_epoch(&self) -> u64 {
        self.rows.num_rows()
    }

    /// `visit`, whose index was a place in the epoch, with the row that is there.
    pub(crate) fn placed(&self, visit: Visit) -> Visit {
        Visit { index: self.rows.at(visit.epoch, visit.index), ..visit }
    }

    /// Appends the row of `visit`.
    pub(crate) fn push(
        &self,
        (dataset, samples): (&SequencesDataset, &Samples),
        visit: &Visit,
        batch: &mut TokenBatch,
    ) -> Result<()> {
        let mut segments = self.segments(dataset, visit.epoch, visit.index)?;
        for draw in 0..DRAWS {
            if samples.are_labelled(&segments) {
                break;
            }
            let other = self.redraw.below(visit.number, draw, self.rows.num_rows());
            segments = self.segments(dataset, visit.epoch, other)?;
        }
        samples.push_segments(&segments, visit.number, batch);
        Ok(())
    }

    fn segments<'d>(
        &self,
        dataset: &'d SequencesDataset,
        epoch: u64,
        row: u64,
    ) -> Result<Vec<Segment<'d>>> {
        let pieces = self.rows.row(dataset, epoch, row)?;
        pieces.into_iter().map(|piece| dataset.piece(Split::Train, piece)).collect()
    }
}
