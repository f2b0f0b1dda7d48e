//! A packed batch of sequences: no padding, document boundaries carried along.
//!
//! Letters: `N` tokens in the batch, `S` segments. A segment is a run of tokens of one document;
//! attention never leaves it.

use crate::sample::Sample;

/// Label of a token that does not enter the loss; the value PyTorch and transformers use.
pub const IGNORE: i64 = -100;

/// `N` tokens of `S` segments laid end to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenBatch {
    /// `[N]` token ids as the model sees them (masked models: after corruption).
    pub tokens: Vec<u32>,
    /// `[N]` what to predict at each token: the next token for causal models, the original token
    /// at corrupted places for masked models, [`IGNORE`] elsewhere.
    pub labels: Vec<i64>,
    /// `[N]` position of each token for rotary and learned position embeddings.
    pub positions: Vec<u32>,
    /// `[S + 1]` first token of each segment, then `N`; strictly increasing, starts with 0.
    pub cu_seqlens: Vec<u32>,
    /// `[S]` number of the document in its split.
    pub document_ids: Vec<u64>,
    /// The samples it was made of, in order; none where it is not part of a run.
    pub samples: Vec<Sample>,
}

impl TokenBatch {
    /// An empty batch with room for so many tokens.
    pub fn with_room(tokens: usize) -> Self {
        Self {
            tokens: Vec::with_capacity(tokens),
            labels: Vec::with_capacity(tokens),
            positions: Vec::with_capacity(tokens),
            ..Self::default()
        }
    }

    /// Tokens in the batch, `N`.
    pub fn num_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Segments in the batch, `S`.
    pub fn num_segments(&self) -> usize {
        self.cu_seqlens.len().saturating_sub(1)
    }

    /// Tokens that enter the loss.
    pub fn num_labels(&self) -> usize {
        self.labels.iter().filter(|&&label| label != IGNORE).count()
    }

    /// Appends one segment. Positions count from `first_position`.
    ///
    /// # Panics
    /// If tokens and labels differ in length or are empty: a bug of the caller.
    pub fn push_segment(
        &mut self,
        tokens: &[u32],
        labels: &[i64],
        first_position: u32,
        document_id: u64,
    ) {
        assert_eq!(tokens.len(), labels.len(), "push_segment: one label per token");
        assert!(!tokens.is_empty(), "push_segment: a segment has at least one token");
        if self.cu_seqlens.is_empty() {
            self.cu_seqlens.push(0);
        }
        let length = u32::try_from(tokens.len()).expect("a segment is shorter than 2^32 tokens");
        let start = *self.cu_seqlens.last().expect("starts with 0");
        self.tokens.extend_from_slice(tokens);
        self.labels.extend_from_slice(labels);
        self.positions.extend(first_position..first_position + length);
        self.cu_seqlens.push(start + length);
        self.document_ids.push(document_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushing_segments_keeps_boundaries_and_positions() {
        let mut batch = TokenBatch::default();
        batch.push_segment(&[5, 6, 7], &[6, 7, IGNORE], 0, 11);
        batch.push_segment(&[8], &[IGNORE], 4, 12);
        assert_eq!(batch.cu_seqlens, [0, 3, 4]);
        assert_eq!(batch.positions, [0, 1, 2, 4]);
        assert_eq!((batch.num_tokens(), batch.num_segments(), batch.num_labels()), (4, 2, 2));
    }
}
