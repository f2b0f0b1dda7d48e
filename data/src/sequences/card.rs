//! What a dataset of sequences says of its samples: the card without a kind.
//!
//! Not here: what cards of all kinds say (`dataset::card`), and the card as a file
//! (`dataset::card_file`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::Split;
use crate::dataset::card::{Card, Part, count, read_histogram};

/// What a dataset of sequences is.
pub type SequencesCard = Card<SequencesPart>;

/// What only sequences have: a tokenizer, and counts of its tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequencesPart {
    /// The tokenizer that made the tokens.
    pub tokenizer: TokenizerCard,
    /// Width of a stored token.
    pub token_type: TokenType,
    /// Counts of each split.
    pub splits: Splits,
    /// How documents were divided into splits.
    pub split_rule: SplitRule,
}

count!(/** Documents. */ Documents, documents);
count!(/** Tokens. */ Tokens, tokens);

impl Part for SequencesPart {
    const KIND: &'static str = "tokens";
    const NOUNS: [&'static str; 2] = ["documents", "tokens"];
    const COUNTS_SEEN: bool = false;
    type Samples = Documents;
    type Units = Tokens;

    fn stated(&self, split: Split) -> (u64, u64) {
        let counts = self.splits.get(split);
        (counts.documents, counts.tokens)
    }

    fn check(&self) -> Result<(), String> {
        let vocabulary = self.tokenizer.vocab_size as usize;
        let counted = [&self.splits.train, &self.splits.validation].map(|it| it.token_counts.len());
        match counted.into_iter().find(|&counts| counts != vocabulary) {
            None => Ok(()),
            Some(counts) => Err(format!("{counts} token counts for a vocabulary of {vocabulary}")),
        }
    }
}

/// What the loader needs to know of the tokenizer; the tokenizer itself is `tokenizer.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerCard {
    /// `byte`, `amino_acid`, `nucleotide`, `smiles`, `hugging_face`.
    pub kind: String,
    /// Ids are `0..vocab_size`.
    pub vocab_size: u32,
    /// Token that begins a document (`<cls>` of protein models).
    pub bos: Option<u32>,
    /// Token that ends a document.
    pub eos: Option<u32>,
    /// Token that stands for nothing.
    pub pad: Option<u32>,
    /// Token that hides another one.
    pub mask: Option<u32>,
    /// Token for what the vocabulary lacks.
    pub unknown: Option<u32>,
    /// All special ids, ascending: never chosen for corruption, never a random replacement.
    pub special: Vec<u32>,
    /// The ids a masked model may draw as random replacement; empty means all that are not
    /// special. For amino acids: the twenty standard residues.
    pub standard: Vec<u32>,
    /// Ids that a model reads and does not learn: they carry no label. Not of the tokenizer itself but
    /// of how the data were ingested, see [`crate::sequences::letters`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlabelled: Vec<u32>,
}

/// Width of a stored token: the narrowest that holds the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// One byte, up to 256 ids.
    U8,
    /// Two bytes, up to 65,536 ids.
    U16,
    /// Four bytes.
    U32,
}

impl TokenType {
    /// The narrowest type that holds ids `0..vocab_size`.
    pub fn for_vocabulary(vocab_size: u32) -> Self {
        match vocab_size {
            0..=0x100 => Self::U8,
            0x101..=0x1_0000 => Self::U16,
            _ => Self::U32,
        }
    }

    /// Bytes of one token.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }
}

/// Counts of the splits; none is for the end only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// Documents that are learned from.
    pub train: SplitCard,
    /// Documents that are held out.
    pub validation: SplitCard,
}

static NOTHING: SplitCard = SplitCard {
    documents: 0,
    tokens: 0,
    source_bytes: 0,
    longest: 0,
    token_counts: Vec::new(),
    length_histogram: BTreeMap::new(),
};

impl Splits {
    /// The counts of one split.
    pub fn get(&self, split: Split) -> &SplitCard {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &NOTHING,
        }
    }
}

/// Counts of one split. Build it with [`SplitCard::count`], document by document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitCard {
    /// Documents.
    pub documents: u64,
    /// Tokens, special ones included.
    pub tokens: u64,
    /// Bytes of raw text behind the tokens: the denominator of bits per byte.
    pub source_bytes: u64,
    /// Tokens of the longest document.
    pub longest: u64,
    /// How often each id occurs; the index is the id.
    pub token_counts: Vec<u64>,
    /// Documents by length in tokens: the key is the smallest length of its bin, see
    /// [`length_bin`].
    #[serde(deserialize_with = "read_histogram")]
    pub length_histogram: BTreeMap<u64, u64>,
}

impl SplitCard {
    /// Nothing counted yet, for ids `0..vocab_size`.
    pub fn new(vocab_size: u32) -> Self {
        Self { token_counts: vec![0; vocab_size as usize], ..Self::default() }
    }

    /// Tokens that carry a label in next-token prediction, and the bytes behind them: without
    /// `unlabelled` ids, each of which is a letter.
    pub fn learned(&self, unlabelled: &[u32]) -> (u64, u64) {
        let count = |&id: &u32| self.token_counts.get(id as usize).copied().unwrap_or_default();
        let hidden: u64 = unlabelled.iter().map(count).sum();
        (self.tokens - hidden, self.source_bytes.saturating_sub(hidden))
    }

    /// Counts one document that was made from `source_bytes` bytes of raw text.
    ///
    /// # Panics
    /// If a token is not below the vocabulary size given to [`SplitCard::new`].
    pub fn count(&mut self, tokens: impl ExactSizeIterator<Item = u32>, source_bytes: u64) {
        let length = tokens.len() as u64;
        self.documents += 1;
        self.tokens += length;
        self.source_bytes += source_bytes;
        self.longest = self.longest.max(length);
        *self.length_histogram.entry(length_bin(length)).or_default() += 1;
        for token in tokens {
            self.token_counts[token as usize] += 1;
        }
    }
}

/// Smallest length of the bin that holds `length`: four bins an octave, exact below eight.
pub fn length_bin(length: u64) -> u64 {
    let octave = length.max(1).ilog2();
    let step = octave.saturating_sub(2);
    (length >> step) << step
}

/// How documents were divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRule {
    /// The hash of a document that decides, in words.
    pub hash: String,
    /// Fraction of documents that were held out.
    pub validation_fraction: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_bins_start_at_exact_lengths_and_grow_by_quarter_octaves() {
        let bins: Vec<u64> = [0, 1, 2, 7, 8, 9, 10, 15, 16, 19, 20, 1000].map(length_bin).into();
        assert_eq!(bins, [0, 1, 2, 7, 8, 8, 10, 14, 16, 16, 20, 896]);
    }

    #[test]
    fn the_narrowest_token_type_holds_the_vocabulary() {
        let types = [1, 256, 257, 65_536, 65_537].map(TokenType::for_vocabulary);
        assert_eq!(
            types,
            [TokenType::U8, TokenType::U8, TokenType::U16, TokenType::U16, TokenType::U32]
        );
    }
}
