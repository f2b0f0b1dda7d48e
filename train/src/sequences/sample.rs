//! The first few tokens of a step: enough for every kernel to run, small enough to be
//! computed several times on a processor.

use genesis_schema::{IGNORE, TokenBatch};

/// Segments that are kept.
const SEGMENTS: usize = 2;
/// Tokens of each; odd, so that no tile of a kernel is full.
const TOKENS: usize = 37;

/// A piece of the first segments that have labels, around their first label. Empty when none has.
pub(crate) fn some_tokens(slices: &[TokenBatch]) -> TokenBatch {
    let mut few = TokenBatch::default();
    for batch in slices {
        for (at, bounds) in batch.cu_seqlens.windows(2).enumerate() {
            let (start, end) = (bounds[0] as usize, bounds[1] as usize);
            let labels = &batch.labels[start..end];
            let Some(first) = labels.iter().position(|&label| label != IGNORE) else { continue };
            // Causal segments are labelled from the start; hidden tokens stand in the middle.
            let from = start + first.saturating_sub(TOKENS / 2);
            let piece = from..end.min(from + TOKENS);
            let (tokens, labels) = (&batch.tokens[piece.clone()], &batch.labels[piece]);
            few.push_segment(tokens, labels, 0, batch.document_ids[at]);
            if few.num_segments() == SEGMENTS {
                return few;
            }
        }
    }
    few
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(length: u32) -> Vec<u32> {
        (0..length).collect()
    }

    #[test]
    fn segments_without_labels_are_passed_over_and_long_ones_cut_around_their_first_label() {
        let mut batch = TokenBatch::default();
        batch.push_segment(&tokens(5), &[IGNORE; 5], 0, 7);
        let mut labels = vec![IGNORE; 200];
        labels[100] = 3;
        batch.push_segment(&tokens(200), &labels, 0, 8);
        batch.push_segment(&tokens(4), &[1; 4], 0, 9);
        batch.push_segment(&tokens(4), &[1; 4], 0, 10);
        let few = some_tokens(&[TokenBatch::default(), batch]);
        assert_eq!(few.document_ids, [8, 9]);
        assert_eq!(few.num_tokens(), TOKENS + 4);
        assert_eq!(few.num_labels(), 1 + 4);
        assert_eq!(few.tokens[TOKENS / 2], 100);
    }

    #[test]
    fn nothing_is_left_of_a_step_without_labels() {
        let mut batch = TokenBatch::default();
        batch.push_segment(&tokens(5), &[IGNORE; 5], 0, 7);
        assert_eq!(some_tokens(&[batch]).num_tokens(), 0);
    }
}
