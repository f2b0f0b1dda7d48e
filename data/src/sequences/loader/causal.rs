//! Next-token samples: blocks of `context` tokens, cut from the stream of all documents.
//!
//! A split of `T` tokens, documents laid end to end and closed to a ring, gives `T / context`
//! blocks (rounded down). Block `b` of epoch `e` begins at token `shift(e) + b * context`, with
//! `shift(e)` drawn anew for every epoch, so block borders move and every token is reached.
//!
//! A block that spans documents is cut into segments: attention stays inside a document,
//! positions restart, and the last token of a document has no label because what follows
//! belongs to another one. The last token of a block is labelled with the token after the block.

use genesis_schema::{IGNORE, Stream, TokenBatch};

use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::sequences::{Segment, SequencesDataset};

/// Blocks of a dataset's splits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CausalBlocks {
    context: u64,
    shift: Stream,
}

impl CausalBlocks {
    pub(crate) fn new(context: usize, shift: Stream) -> Result<Self> {
        if context == 0 || u32::try_from(context).is_err() {
            let problem = format!("a block of {context} tokens cannot be made");
            return Err(DataError::invalid("objective.context", problem, "use 1 or more"));
        }
        Ok(Self { context: context as u64, shift })
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
        let tokens = dataset.num_tokens(Split::Train);
        let start = self.shift.below(epoch, 0, self.context) + block * self.context;
        // The last block begins before the end of the ring and may run past it.
        let head = self.context.min(tokens - start);
        push_segments(&dataset.segments(Split::Train, start, head)?, batch);
        push_segments(&dataset.segments(Split::Train, 0, self.context - head)?, batch);
        Ok(())
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
        push_segments(&dataset.segments(Split::Validation, start, count)?, batch);
        Ok(())
    }
}

fn push_segments(segments: &[Segment<'_>], batch: &mut TokenBatch) {
    for segment in segments {
        let tokens = segment.tokens.to_vec();
        let next = segment.next.map_or(IGNORE, i64::from);
        let labels: Vec<i64> = tokens.iter().skip(1).map(|&t| i64::from(t)).chain([next]).collect();
        batch.push_segment(&tokens, &labels, 0, segment.document);
    }
}
