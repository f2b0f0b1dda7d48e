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

    /// Labels of the `tokens` of a segment: the one that follows, `next` behind the last, none at the end of a document.
    pub(super) fn following(&self, tokens: &[u32], next: Option<u32>) -> Vec<i64> {
        let mut labels = Vec::with_capacity(tokens.len());
        let rest = tokens.get(1..).unwrap_or_default().iter();
        // Where all tokens have labels this is a copy, which compilers make fast.
        if self.hides() {
            labels.extend(rest.map(|&token| self.of(token)));
        } else {
            labels.extend(rest.map(|&token| i64::from(token)));
        }
        labels.push(next.map_or(IGNORE, |token| self.of(token)));
        labels
    }

    /// Whether some token of the segment is followed by one that carries a label.
    pub(super) fn are_any(&self, segment: &Segment<'_>) -> bool {
        let labels = self.following(&segment.tokens.to_vec(), segment.next);
        labels.iter().any(|&label| label != IGNORE)
    }
}
