//! A record to a document: text, tokens, split and identity.
//!
//! Split and identity are those of what a model sees: of the tokens, not of the bytes of the file, where
//! the same sequence may be written in upper or lower case, with a stop, with gaps, as RNA. Identity is that
//! of the ids. The split goes by the text that they spell, as ids change with a vocabulary that is learned
//! from the data, and documents stay where they are when data are added.

use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use crate::dataset::Split;
use crate::formats::{Cut, Refusal, not_utf8};
use crate::sequences::letters::{LetterCounts, Letters, Ruled};
use crate::sequences::tokenize::{EncodeError, Tokenizer};

/// Seeds of the two hashes of a document; datasets depend on them for ever.
const SPLIT_SEED: u64 = 0x6765_6E65_7369_7301;
const DUPLICATE_SEED: u64 = 0x6765_6E65_7369_7302;
/// The split rule in words, for the card.
pub(super) const SPLIT_HASH: &str = "xxh3-64 of the text that the document's tokens spell, seed \
                                     0x67656e6573697301, as a fraction of 2^64; below \
                                     validation_fraction is held out";

/// A document ready to be stored.
pub(super) struct Document {
    pub(super) tokens: Vec<u32>,
    pub(super) split: Split,
    /// 128 bits that equal documents share.
    pub(super) identity: u128,
    pub(super) source_bytes: u64,
    /// Letters with a rule.
    pub(super) met: LetterCounts,
}

impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

/// `cut`: what of the record lies outside; a piece has no token that begins or ends a document where it
/// was cut.
pub(super) fn document(
    text: &[u8],
    cut: Cut,
    (tokenizer, letters): (&Tokenizer, Option<Letters>),
    validation_fraction: f64,
) -> Result<Document, Refusal> {
    let text = checked_text(text)?;
    let ruled = match letters {
        Some(letters) => letters.rule(text)?,
        None => Ruled { text: text.into(), met: LetterCounts::default() },
    };
    let mut tokens = Vec::with_capacity(text.len() / 2);
    tokenizer.encode_part(&ruled.text, (!cut.before, !cut.after), &mut tokens)?;
    let spelled = tokenizer.decode(&tokens);
    let fraction = xxh3_64_with_seed(spelled.as_bytes(), SPLIT_SEED) as f64 / 2f64.powi(64);
    let held_out = fraction < validation_fraction;
    Ok(Document {
        split: if held_out { Split::Validation } else { Split::Train },
        identity: identity(&tokens),
        source_bytes: ruled.text.len() as u64,
        met: ruled.met,
        tokens,
    })
}

/// 128 bits that documents of the same tokens share.
pub(in crate::sequences) fn identity(tokens: &[u32]) -> u128 {
    let ids: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
    xxh3_128_with_seed(&ids, DUPLICATE_SEED)
}

/// Text in UTF-8 without NUL: what a binary file is not.
pub(super) fn checked_text(text: &[u8]) -> Result<&str, Refusal> {
    if let Some(offset) = memchr::memchr(0, text) {
        return Err(EncodeError::Nul { offset }.into());
    }
    let text = std::str::from_utf8(text).map_err(|e| not_utf8(&e))?;
    if text.trim().is_empty() { Err(EncodeError::Empty.into()) } else { Ok(text) }
}
