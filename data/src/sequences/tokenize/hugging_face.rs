//! A tokenizer that the `tokenizers` library runs: any `tokenizer.json`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tokenizers::Tokenizer as Inner;

use super::{EncodeError, SpecialTokens, problem};
use crate::error::Result;

/// A loaded `tokenizer.json`.
#[derive(Debug, Clone)]
pub(super) struct Pretrained {
    /// For documents: names of special tokens in the text are text.
    document: Inner,
    /// For prompts: they are tokens.
    prompt: Inner,
    pub(super) special: SpecialTokens,
    /// `tokenizer_config.json` as it was found.
    pub(super) config: Map<String, Value>,
}

/// Customary names, most specific first, for files without a `tokenizer_config.json`.
const BOS: &[&str] = &["<|begin_of_text|>", "<bos>", "<s>", "[CLS]", "<cls>"];
const EOS: &[&str] = &["<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>", "[SEP]"];
const PAD: &[&str] = &["<pad>", "[PAD]", "<|padding|>"];
const MASK: &[&str] = &["<mask>", "[MASK]"];
const UNKNOWN: &[&str] = &["<unk>", "[UNK]"];

impl Pretrained {
    /// Parses the text of a `tokenizer.json`; `name` is for messages.
    pub(super) fn new(name: &str, text: &str, config: Map<String, Value>) -> Result<Self> {
        let mut inner = Inner::from_bytes(text.as_bytes())
            .map_err(|e| problem(name, e.to_string(), "give a Hugging Face tokenizer.json"))?;
        // A document is encoded whole: what is too long for a model is its loader's business.
        inner
            .with_padding(None)
            .with_truncation(None)
            .map_err(|e| problem(name, e.to_string(), "remove `truncation` from the file"))?;
        Self::wrap(name, inner, config)
    }

    /// Takes a tokenizer that has neither padding nor truncation.
    pub(super) fn wrap(name: &str, inner: Inner, config: Map<String, Value>) -> Result<Self> {
        check_ids(name, &inner)?;
        let find =
            |key: &str, customary: &[&str]| find_special(name, &inner, &config, key, customary);
        let special = SpecialTokens {
            bos: find("bos_token", BOS)?,
            eos: find("eos_token", EOS)?,
            pad: find("pad_token", PAD)?,
            mask: find("mask_token", MASK)?,
            unknown: find("unk_token", UNKNOWN)?,
        };
        let mut document = inner.clone();
        document.set_encode_special_tokens(true);
        Ok(Self { document, prompt: inner, special, config })
    }

    /// The text of every id.
    pub(super) fn tokens(&self) -> Vec<String> {
        let size = self.prompt.get_vocab_size(true);
        (0u32..).take(size).map(|id| self.prompt.id_to_token(id).unwrap_or_default()).collect()
    }

    /// Ids that carry meaning, not text.
    pub(super) fn special_ids(&self) -> BTreeSet<u32> {
        let added = self.prompt.get_added_tokens_decoder();
        let marked = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id);
        let SpecialTokens { bos, eos, pad, mask, unknown } = self.special;
        let named = [bos, eos, pad, mask, unknown].into_iter().flatten();
        marked.chain(named).collect()
    }

    pub(super) fn encode_body(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        let encoding = self.document.encode_fast(text, false).map_err(|e| refused(&*e))?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }

    pub(super) fn encode_prompt(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        let encoding = self.prompt.encode_fast(text, false).map_err(|e| refused(&*e))?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        // Ids were checked against the vocabulary; no decoder of the library fails on those.
        self.prompt.decode(ids, true).unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> Result<String> {
        let mut text = self
            .prompt
            .to_string(true)
            .map_err(|e| problem("save", e.to_string(), "report this"))?;
        text.push('\n');
        Ok(text)
    }
}

fn refused(error: &(dyn std::error::Error + Send + Sync)) -> EncodeError {
    EncodeError::Model { message: error.to_string() }
}

/// Models and shards index by id, so ids must be `0..n`.
fn check_ids(name: &str, inner: &Inner) -> Result<()> {
    let size = inner.get_vocab_size(true);
    let highest = inner.get_vocab(true).into_values().max();
    if size > 0 && highest.is_some_and(|id| id as usize == size - 1) {
        return Ok(());
    }
    let highest = highest.map_or_else(|| "none".to_owned(), |id| id.to_string());
    Err(problem(
        name,
        format!("it has {size} tokens, but its highest id is {highest}; ids must be 0, 1, 2, …"),
        "renumber the vocabulary without gaps",
    ))
}

/// The id of the token that the config names under `key`, else of the first customary name.
fn find_special(
    name: &str,
    inner: &Inner,
    config: &Map<String, Value>,
    key: &str,
    customary: &[&str],
) -> Result<Option<u32>> {
    let named = match config.get(key) {
        Some(Value::String(token)) => Some(token.as_str()),
        Some(Value::Object(token)) => token.get("content").and_then(Value::as_str),
        None if config.is_empty() => None,
        // The config knows of no such token.
        _ => return Ok(None),
    };
    match named {
        None => Ok(customary.iter().find_map(|token| inner.token_to_id(token))),
        Some(token) => inner.token_to_id(token).map(Some).ok_or_else(|| {
            let found = format!("tokenizer_config.json names {key} `{token}`, which has no id");
            problem(name, found, "add the token to tokenizer.json or drop it from the config")
        }),
    }
}
