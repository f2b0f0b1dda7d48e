//! Next-token samples: blocks of `context` tokens, cut from the stream of all documents.
//!
//! A split of `T` tokens, documents laid end to end and closed to a ring, gives `T / context`
//! blocks (rounded down). Block `b` of epoch `e` begins at token `shift(e) + b * context`, with
//! `shift(e)` drawn anew for every epoch, so block borders move and every token is reached.
//!
//! A block that spans documents is cut into segments: attention stays inside a document,
//! positions restart, and the last token of a document has no label because what follows
//! belongs to another one. The last token of a block is labelled with the token after the block.
//! Tokens that are read and not learned are no labels; a block of nothing else, as in a long run of
//! `N`, gives its place to another one, drawn by its number.

use genesis_schema::{Seeds, Stream, TokenBatch};

use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::sequences::card::TokenizerCard;
use crate::sequences::{Segment, SequencesDataset};

use super::labels::{DRAWS, Labels};

/// Blocks of a dataset's splits.
#[derive(Debug, Clone)]
pub(crate) struct CausalBlocks {
    context: u64,
    shift: Stream,
    redraw: Stream,
    labels: Labels,
}

impl CausalBlocks {
    pub(crate) fn new(tokenizer: &TokenizerCard, context: usize, seeds: Seeds) -> Result<Self> {
        if context == 0 || u32::try_from(context).is_err() {
            let problem = format!("a block of {context} tokens cannot be made");
            return Err(DataError::invalid("objective.context", problem, "use 1 or more"));
        }
        let (shift, redraw) = (seeds.stream("loader/shift"), seeds.stream("loader/redraw"));
        Ok(Self { context: context as u64, shift, redraw, labels: Labels::new(tokenizer) })
    }

    /// Blocks of an epoch of training.
    pub(crate) fn per_epoch(&self, dataset: &SequencesDataset) -> Result<u64> {
        let tokens = dataset.num_tokens(Split::Train);
        if tokens >= self.context {
            return Ok(tokens / self.context);
        }
        Err(DataError::invalid(
            "objective.context",
            format!("one block takes {} tokens, the training split has {tokens}", self.context),
            format!("use a context of at most {tokens}, or more data"),
        ))
    }

    /// Appends block `block` of `epoch` of the training split.
    pub(crate) fn push(
        &self,
        dataset: &SequencesDataset,
        (epoch, block): (u64, u64),
        batch: &mut TokenBatch,
    ) -> Result<()> {
        let blocks = dataset.num_tokens(Split::Train) / self.context;
        let mut segments = self.block(dataset, epoch, block)?;
        for draw in 0..DRAWS {
            if self.are_labelled(&segments) {
                break;
            }
            let other = self.redraw.below(epoch * blocks + block, draw, blocks);
            segments = self.block(dataset, epoch, other)?;
        }
        self.push_segments(&segments, batch);
        Ok(())
    }

    fn block<'d>(
        &self,
        dataset: &'d SequencesDataset,
        epoch: u64,
        block: u64,
    ) -> Result<Vec<Segment<'d>>> {
        let tokens = dataset.num_tokens(Split::Train);
        let start = self.shift.below(epoch, 0, self.context) + block * self.context;
        // The last block begins before the end of the ring and may run past it.
        let head = self.context.min(tokens - start);
        let mut segments = dataset.segments(Split::Train, start, head)?;
        segments.extend(dataset.segments(Split::Train, 0, self.context - head)?);
        Ok(segments)
    }

    /// Whether some token of them carries a label; known at once where all tokens of the dataset do.
    pub(crate) fn are_labelled(&self, segments: &[Segment<'_>]) -> bool {
        if !self.labels.hides() {
            return true;
        }
        segments.iter().any(|segment| self.labels.are_any(segment))
    }

    /// Appends segments as they are.
    pub(crate) fn push_segments(&self, segments: &[Segment<'_>], batch: &mut TokenBatch) {
        for segment in segments {
            let tokens = segment.tokens.to_vec();
            let labels = self.labels.following(&tokens, segment.next);
            batch.push_segment(&tokens, &labels, 0, segment.document);
        }
    }

    /// Blocks of the validation split, the last of which may be short.
    pub(crate) fn num_validation(&self, dataset: &SequencesDataset) -> u64 {
        dataset.num_tokens(Split::Validation).div_ceil(self.context)
    }

    /// Appends block `block` of the validation split; together they label every token once.
    pub(crate) fn push_validation(
        &self,
        dataset: &SequencesDataset,
        block: u64,
        batch: &mut TokenBatch,
    ) -> Result<()> {
        let start = block * self.context;
        let count = self.context.min(dataset.num_tokens(Split::Validation) - start);
        self.push_segments(&dataset.segments(Split::Validation, start, count)?, batch);
        Ok(())
    }
}
