//! A tokenizer that the `tokenizers` library runs: any `tokenizer.json`.
//!
//! What a text begins and ends with is what its post-processor puts there, whichever it is: that is what
//! transformers does. Which tokens have a meaning is what the files beside it say, see `declared`; no token
//! is guessed from how it is spelled.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tokenizers::Tokenizer as Inner;
use tokenizers::models::ModelWrapper;

use super::declared::{Role, token_of};
use super::{EncodeError, Frame, SpecialTokens, problem};
use crate::error::Result;

/// A loaded `tokenizer.json`.
#[derive(Debug, Clone)]
pub(super) struct Pretrained {
    /// For documents: names of special tokens in the text are text.
    document: Inner,
    /// For prompts: they are tokens.
    prompt: Inner,
    pub(super) special: SpecialTokens,
    /// What the post-processor puts around a text.
    pub(super) frame: Frame,
    /// `tokenizer_config.json` as it was found, with what other files declare.
    pub(super) config: Map<String, Value>,
    /// The file as it was, where its vocabulary skips ids: writing such a one, the library warns on
    /// standard output, where results go.
    skipping: Option<Value>,
}

/// Largest id: models have a row for each up to it.
const LARGEST_ID: u32 = 1 << 24;

impl Pretrained {
    /// Takes a tokenizer that has neither padding nor truncation.
    pub(super) fn wrap(name: &str, inner: Inner, config: Map<String, Value>) -> Result<Self> {
        check_ids(name, &inner)?;
        let frame = frame(name, &inner)?;
        let find = |role: Role| match token_of(&config, role) {
            None => Ok(None),
            Some((key, token)) => inner.token_to_id(token).map(Some).ok_or_else(|| {
                let found = format!("{key} is `{token}`, which has no id");
                let fix = "add the token to tokenizer.json or drop it from tokenizer_config.json";
                problem(name, found, fix)
            }),
        };
        let special = SpecialTokens {
            bos: find(Role::Begin)?.or_else(|| frame.begin.first().copied()),
            eos: find(Role::End)?.or_else(|| frame.end.last().copied()),
            pad: find(Role::Pad)?,
            mask: find(Role::Mask)?,
            unknown: find(Role::Unknown)?.or_else(|| unknown(&inner)),
        };
        let mut document = inner.clone();
        document.set_encode_special_tokens(true);
        Ok(Self { document, prompt: inner, special, frame, config, skipping: None })
    }

    /// The same tokenizer, which was read from `text`.
    pub(super) fn of_text(mut self, text: &str) -> Self {
        if self.tokens().contains(&None) {
            let mut value: Value = serde_json::from_str(text).unwrap_or_default();
            // Documents are neither cut nor filled up.
            for key in ["padding", "truncation"] {
                value[key] = Value::Null;
            }
            self.skipping = Some(value);
        }
        self
    }

    /// The text of every id up to the highest; `None` where the vocabulary skips one.
    pub(super) fn tokens(&self) -> Vec<Option<String>> {
        let highest = self.prompt.get_vocab(true).into_values().max().unwrap_or(0);
        (0..=highest).map(|id| self.prompt.id_to_token(id)).collect()
    }

    /// Ids that carry meaning, not text.
    pub(super) fn special_ids(&self) -> BTreeSet<u32> {
        let added = self.prompt.get_added_tokens_decoder();
        let marked = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id);
        let SpecialTokens { bos, eos, pad, mask, unknown } = self.special;
        let named = [bos, eos, pad, mask, unknown].into_iter().flatten();
        let framing = self.frame.begin.iter().chain(&self.frame.end).copied();
        marked.chain(named).chain(framing).collect()
    }

    /// What decides which ids a text has: all of the file but its decoder and post-processor.
    pub(super) fn identity(&self) -> Result<Value> {
        let mut value: Value = serde_json::from_str(&self.written(false)?)
            .map_err(|e| problem("identity", e.to_string(), "report this"))?;
        if let Some(object) = value.as_object_mut() {
            object.retain(|key, _| !["decoder", "post_processor", "version"].contains(&&**key));
        }
        Ok(value)
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
        let mut text = self.written(true)?;
        text.push('\n');
        Ok(text)
    }

    fn written(&self, pretty: bool) -> Result<String> {
        let text = match &self.skipping {
            Some(file) if pretty => serde_json::to_string_pretty(file).map_err(Into::into),
            Some(file) => Ok(file.to_string()),
            None => self.prompt.to_string(pretty),
        };
        text.map_err(|e| problem("tokenizer.json", e.to_string(), "report this"))
    }
}

fn refused(error: &(dyn std::error::Error + Send + Sync)) -> EncodeError {
    EncodeError::Model { message: error.to_string() }
}

/// The library's tokenizer of a file. A document is encoded whole: what is too long for a model is its
/// loader's business.
pub(super) fn parse(name: &str, text: &str) -> Result<Inner> {
    // The library panics at a decoder that is no JSON.
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|e| problem(name, format!("not JSON: {e}"), "fetch the file again"))?;
    let mut inner = Inner::from_bytes(text.as_bytes())
        .map_err(|e| problem(name, e.to_string(), "give a Hugging Face tokenizer.json"))?;
    inner
        .with_padding(None)
        .with_truncation(None)
        .map_err(|e| problem(name, e.to_string(), "remove `truncation` from the file"))?;
    Ok(inner)
}

/// A vocabulary may skip ids, but models have a row for each up to the highest.
fn check_ids(name: &str, inner: &Inner) -> Result<()> {
    let mut known = BTreeMap::new();
    let vocabulary: BTreeMap<String, u32> = inner.get_vocab(true).into_iter().collect();
    for (token, id) in vocabulary {
        if let Some(other) = known.insert(id, token.clone()) {
            let found = format!("`{other}` and `{token}` both have the id {id}");
            return Err(problem(name, found, "give each token an id of its own"));
        }
    }
    match inner.get_vocab(true).into_values().max() {
        Some(highest) if highest < LARGEST_ID => Ok(()),
        None => Err(problem(name, "it has no token", "give a tokenizer with a vocabulary")),
        Some(highest) => Err(problem(
            name,
            format!("its highest id is {highest}, and a model would need a row for each up to it"),
            format!("give a tokenizer with ids below {LARGEST_ID}"),
        )),
    }
}

/// What the post-processor puts before and after a text, asked of the library with texts of its own
/// vocabulary.
fn frame(name: &str, inner: &Inner) -> Result<Frame> {
    let failed = |e: tokenizers::Error| problem(name, e.to_string(), "report this");
    let own = (0..64).filter_map(|id| inner.id_to_token(id));
    let probes = ["a", "A", "the", "0", "C"].into_iter().map(str::to_owned).chain(own);
    for probe in probes {
        let plain = inner.encode_fast(probe.as_str(), false).map_err(failed)?;
        if plain.get_ids().is_empty() {
            continue;
        }
        let framed = inner.encode(probe.as_str(), true).map_err(failed)?;
        let (ids, mask) = (framed.get_ids(), framed.get_special_tokens_mask());
        let begin = mask.iter().take_while(|&&special| special == 1).count();
        let end = mask.iter().rev().take_while(|&&special| special == 1).count();
        if begin + end > ids.len() || ids[begin..ids.len() - end] != *plain.get_ids() {
            let found = "its post-processor does more than put tokens before and after a text";
            return Err(problem(name, found, "use a tokenizer whose template is `begin $A end`"));
        }
        return Ok(Frame { begin: ids[..begin].to_vec(), end: ids[ids.len() - end..].to_vec() });
    }
    Err(problem(name, "it gives no token for any text", "give a tokenizer with a vocabulary"))
}

/// What the model of the tokenizer gives for what its vocabulary lacks.
fn unknown(inner: &Inner) -> Option<u32> {
    let token = match inner.get_model() {
        ModelWrapper::BPE(model) => model.unk_token.clone(),
        ModelWrapper::WordPiece(model) => Some(model.unk_token.clone()),
        ModelWrapper::WordLevel(model) => Some(model.unk_token.clone()),
        ModelWrapper::Unigram(_) => None,
    };
    token.and_then(|token| inner.token_to_id(&token))
}
