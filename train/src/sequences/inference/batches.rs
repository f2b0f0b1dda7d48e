//! Packs encoded sequences for inference: no labels, bounded numbers of tokens.

use std::ops::Range;

use genesis_data::sequences::tokenize::Tokenizer;
use genesis_kernels::Kernels;
use genesis_schema::{IGNORE, TokenBatch};

use super::load::SequencesModel;
use super::records::Record;

/// A batch has about this many tokens, more only if one sequence is longer.
const TOKENS_PER_BATCH: usize = 2048;

/// Bound on the elements of a batch's logits: 64 MiB in f32.
const LOGITS_PER_BATCH: usize = 1 << 24;

/// Whether the token that ends a document is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Where the tokenizer puts it.
    AsGiven,
    /// Where the tokenizer marks texts at all, before or behind them: it then ends a marked text.
    OfMarked,
    /// Whether the tokenizer puts it there or not.
    Always,
    /// Not even where the tokenizer puts it.
    Never,
}

impl End {
    /// Whether it is there.
    pub(crate) fn is_there(self, tokenizer: &Tokenizer) -> bool {
        let (begins, ends) = tokenizer.frame();
        match self {
            Self::AsGiven => ends > 0,
            Self::OfMarked if begins + ends == 0 => false,
            Self::OfMarked | Self::Always => ends > 0 || tokenizer.eos().is_some(),
            Self::Never => false,
        }
    }
}

/// Tokens of a record, checked against the model's vocabulary and positions.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn encode<B: Kernels>(
    model: &SequencesModel<B>,
    tokenizer: &Tokenizer,
    record: &Record,
    end: End,
) -> Result<Vec<u32>, String> {
    encode_text(model, tokenizer, &record.sequence, end)
}

/// As [`encode`], of a text.
pub(crate) fn encode_text<B: Kernels>(
    model: &SequencesModel<B>,
    tokenizer: &Tokenizer,
    text: &str,
    end: End,
) -> Result<Vec<u32>, String> {
    let mut tokens = Vec::new();
    if end.is_there(tokenizer) {
        tokenizer.encode(text, &mut tokens)
    } else {
        tokenizer.encode_framed(text, &mut tokens)
    }
    .map_err(|error| error.to_string())?;
    if end == End::Never {
        tokens.truncate(tokens.len() - tokenizer.frame().1);
    }
    if tokens.is_empty() {
        return Err("it has no tokens".to_owned());
    }
    model.config.check_batch(&segment(&tokens)).map_err(|error| error.to_string())?;
    Ok(tokens)
}

/// Where the text lies in the `length` tokens that the tokenizer gives, between those that it puts
/// around it.
pub(crate) fn body(tokenizer: &Tokenizer, length: usize) -> Range<usize> {
    let (begins, ends) = tokenizer.frame();
    begins..length - ends
}

/// One sequence as a batch.
pub(crate) fn segment(tokens: &[u32]) -> TokenBatch {
    let mut batch = TokenBatch::default();
    push(&mut batch, tokens);
    batch
}

/// Appends a sequence without labels.
pub(crate) fn push(batch: &mut TokenBatch, tokens: &[u32]) {
    let labels = vec![IGNORE; tokens.len()];
    let id = batch.num_segments() as u64;
    batch.push_segment(tokens, &labels, 0, id);
}

/// Splits sequences of these lengths into runs that make one batch each. `row_width` is the number
/// of values the model answers per token.
pub(crate) fn runs(lengths: &[usize], row_width: usize) -> Vec<Range<usize>> {
    let most = TOKENS_PER_BATCH.min(LOGITS_PER_BATCH / row_width.max(1));
    let (mut runs, mut start, mut tokens) = (Vec::new(), 0, 0);
    for (index, length) in lengths.iter().enumerate() {
        if index > start && tokens + length > most {
            runs.push(start..index);
            (start, tokens) = (index, 0);
        }
        tokens += length;
    }
    if start < lengths.len() {
        runs.push(start..lengths.len());
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_every_sequence_once_and_stay_within_the_bound() {
        let lengths = [1000, 1000, 1000, 5000, 1, 2, 3];
        let runs = runs(&lengths, 10);
        assert_eq!(runs, [0..2, 2..3, 3..4, 4..7]);
    }

    #[test]
    fn wide_answers_make_smaller_batches() {
        assert_eq!(runs(&[100, 100, 100], 100_000), [0..1, 1..2, 2..3]);
        assert!(runs(&[], 10).is_empty());
    }
}
