//! Which tokens carry a label: all but those that the ingest said are read and not learned.

use genesis_schema::IGNORE;

use crate::sequences::Segment;
use crate::sequences::card::TokenizerCard;

/// A sample that has no label is drawn anew so many times: enough that of a genome which is half
/// unknown one in a million steps is met without.
pub(super) const DRAWS: u64 = 20;

/// Labels of tokens.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    /// `[vocabulary]` whether the id carries none; empty where all do.
    hidden: Vec<bool>,
}

impl Labels {
    pub(super) fn new(tokenizer: &TokenizerCard) -> Self {
        let hidden = (0..tokenizer.vocab_size).map(|id| tokenizer.unlabelled.contains(&id));
        let hidden = if tokenizer.unlabelled.is_empty() { Vec::new() } else { hidden.collect() };
        Self { hidden }
    }

    /// Whether some ids carry no label.
    pub(super) fn hides(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Whether `token` carries one.
    pub(super) fn has(&self, token: u32) -> bool {
        !self.hidden.get(token as usize).copied().unwrap_or_default()
    }

    /// The label that `token` is.
    fn of(&self, token: u32) -> i64 {
        if self.has(token) { i64::from(token) } else { IGNORE }
    }

    /// Labels of a segment: the token that follows, none behind the last of a document.
    pub(super) fn following(&self, segment: &Segment<'_>) -> Vec<i64> {
        let tokens = segment.tokens.to_vec();
        let next = segment.next.map_or(IGNORE, |token| self.of(token));
        tokens.iter().skip(1).map(|&token| self.of(token)).chain([next]).collect()
    }
}
