//! A record to a document: text, tokens, split and identity.

use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use crate::dataset::Split;
use crate::formats::{Refusal, not_utf8};
use crate::sequences::tokenize::{EncodeError, Tokenizer};

/// Seeds of the two hashes of a document; datasets depend on them for ever.
const SPLIT_SEED: u64 = 0x6765_6E65_7369_7301;
const DUPLICATE_SEED: u64 = 0x6765_6E65_7369_7302;
/// The split rule in words, for the card.
pub(super) const SPLIT_HASH: &str = "xxh3-64 of the document's text, seed 0x67656e6573697301, \
                                     as a fraction of 2^64; below validation_fraction is held out";

/// A document ready to be stored.
pub(super) struct Document {
    pub(super) tokens: Vec<u32>,
    pub(super) split: Split,
    /// 128 bits that equal documents share.
    pub(super) identity: u128,
    pub(super) source_bytes: u64,
}

impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

pub(super) fn document(
    text: &[u8],
    tokenizer: &Tokenizer,
    validation_fraction: f64,
) -> Result<Document, Refusal> {
    let text = checked_text(text)?;
    let mut tokens = Vec::with_capacity(text.len() / 2);
    tokenizer.encode(text, &mut tokens)?;
    let fraction = xxh3_64_with_seed(text.as_bytes(), SPLIT_SEED) as f64 / 2f64.powi(64);
    let held_out = fraction < validation_fraction;
    Ok(Document {
        tokens,
        split: if held_out { Split::Validation } else { Split::Train },
        identity: xxh3_128_with_seed(text.as_bytes(), DUPLICATE_SEED),
        source_bytes: text.len() as u64,
    })
}

/// Text in UTF-8 without NUL: what a binary file is not.
pub(super) fn checked_text(text: &[u8]) -> Result<&str, Refusal> {
    if let Some(offset) = memchr::memchr(0, text) {
        return Err(EncodeError::Nul { offset }.into());
    }
    let text = std::str::from_utf8(text).map_err(|e| not_utf8(&e))?;
    if text.trim().is_empty() { Err(EncodeError::Empty.into()) } else { Ok(text) }
}
