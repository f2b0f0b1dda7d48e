//! Trains a byte-level BPE vocabulary: the scheme of GPT-2 and Llama 3.
//!
//! Merges depend on counts alone, ties are broken by id, so the same text gives the same
//! vocabulary on any number of threads.

use serde_json::{Map, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as Inner};

use super::hugging_face::Pretrained;
use super::{Tokenizer, problem};
use crate::error::{DataError, Result};

/// All 256 bytes and the end token.
pub const MIN_BPE_VOCABULARY: u32 = 257;
const END: &str = "<|endoftext|>";

/// Learns at most `vocab_size` byte-level tokens from `texts`; id 0 is `<|endoftext|>`.
///
/// The vocabulary is smaller when no pair occurs twice any more. Memory grows with the number
/// of distinct words (runs of letters, digits or signs), not with the text.
///
/// # Errors
/// [`DataError::Tokenizer`] if `vocab_size` is below [`MIN_BPE_VOCABULARY`].
pub fn train_bpe<I>(texts: I, vocab_size: u32) -> Result<Tokenizer>
where
    I: Iterator<Item = String> + Send,
{
    if vocab_size < MIN_BPE_VOCABULARY {
        return Err(problem(
            "train_bpe",
            format!(
                "vocab_size is {vocab_size}, but 256 bytes and {END} need {MIN_BPE_VOCABULARY}"
            ),
            format!("ask for {MIN_BPE_VOCABULARY} or more; 4096 to 50000 is usual"),
        ));
    }
    let failed = |e: tokenizers::Error| -> DataError {
        problem("train_bpe", e.to_string(), "report this with the message")
    };
    let mut inner = Inner::new(BPE::default());
    inner
        .with_pre_tokenizer(Some(ByteLevel::new(false, false, true)))
        .with_decoder(Some(ByteLevel::new(false, false, true)));
    let mut trainer = TrainerWrapper::from(
        BpeTrainer::builder()
            .vocab_size(vocab_size as usize)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(vec![AddedToken::from(END, true)])
            .build(),
    );
    inner.train(&mut trainer, texts).map_err(failed)?;
    let mut config = Map::new();
    config.insert("eos_token".to_owned(), json!(END));
    Pretrained::wrap("train_bpe", inner, config).map(Tokenizer::pretrained)
}
