//! The fixed tokenizers as a Hugging Face `tokenizer.json` that gives the same ids.
//!
//! With special tokens asked for, a file adds what begins a text. Whether it adds what ends one depends on who
//! reads it: a masked model was trained on whole texts, a prompt of a causal model must not be ended.

use serde_json::{Map, Value, json};

use super::{SMILES_PATTERN, Tokenizer, TokenizerKind, byte};

/// `tokenizer.json` of a tokenizer that is not itself one: proteins are ended, as by ESM-2's own.
pub(super) fn tokenizer_json(tokenizer: &Tokenizer) -> Value {
    tokenizer_json_that(tokenizer, tokenizer.kind == TokenizerKind::AminoAcid)
}

/// The same, which `ends` texts or does not.
pub(super) fn tokenizer_json_that(tokenizer: &Tokenizer, ends: bool) -> Value {
    let end = tokenizer.special.eos.filter(|_| ends);
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(tokenizer),
        "normalizer": normalizer(tokenizer.kind),
        "pre_tokenizer": pre_tokenizer(tokenizer.kind),
        "post_processor": post_processor(tokenizer, tokenizer.special.bos, end),
        "decoder": decoder(tokenizer.kind),
        "model": model(tokenizer),
    })
}

/// The spelling of a token in the file. Bytes are written in the byte-level alphabet, except
/// NUL: the end token is the character itself, which no document holds.
pub(super) fn spelling(tokenizer: &Tokenizer, id: u32) -> String {
    match tokenizer.kind {
        TokenizerKind::Byte if id == byte::END => "\0".to_owned(),
        TokenizerKind::Byte => byte::byte_level_alphabet()[id as usize].to_string(),
        _ => tokenizer.tokens[id as usize].clone(),
    }
}

fn added_tokens(tokenizer: &Tokenizer) -> Value {
    let entry = |&id: &u32| {
        json!({
            "id": id,
            "content": spelling(tokenizer, id),
            "single_word": false,
            "lstrip": false,
            "rstrip": false,
            "normalized": false,
            "special": true,
        })
    };
    tokenizer.special_ids.iter().map(entry).collect()
}

fn replace(pattern: &Value, content: &str) -> Value {
    json!({"type": "Replace", "pattern": pattern, "content": content})
}

fn normalizer(kind: TokenizerKind) -> Value {
    let mut steps = vec![replace(&json!({"Regex": r"[ \t\r\n]+"}), "")];
    steps.extend(('a'..='z').map(|letter| {
        replace(&json!({"String": letter}), &letter.to_ascii_uppercase().to_string())
    }));
    match kind {
        TokenizerKind::Byte | TokenizerKind::HuggingFace => return Value::Null,
        TokenizerKind::Smiles => {
            return json!({"type": "Strip", "strip_left": true, "strip_right": true});
        }
        TokenizerKind::AminoAcid => steps.push(replace(&json!({"Regex": r"\*\z"}), "")),
        TokenizerKind::Nucleotide => steps.push(replace(&json!({"String": "U"}), "T")),
    }
    json!({"type": "Sequence", "normalizers": steps})
}

fn pre_tokenizer(kind: TokenizerKind) -> Value {
    let split = |pattern: &str| {
        json!({
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": false,
        })
    };
    match kind {
        TokenizerKind::Byte | TokenizerKind::HuggingFace => byte_level(false),
        TokenizerKind::AminoAcid | TokenizerKind::Nucleotide => split(r"[\s\S]"),
        TokenizerKind::Smiles => split(SMILES_PATTERN),
    }
}

fn byte_level(use_regex: bool) -> Value {
    json!({
        "type": "ByteLevel",
        "add_prefix_space": false,
        "trim_offsets": false,
        "use_regex": use_regex,
    })
}

fn decoder(kind: TokenizerKind) -> Value {
    match kind {
        TokenizerKind::Byte | TokenizerKind::HuggingFace => byte_level(true),
        _ => json!({"type": "Fuse"}),
    }
}

fn post_processor(tokenizer: &Tokenizer, first: Option<u32>, last: Option<u32>) -> Value {
    if first.is_none() && last.is_none() {
        return Value::Null;
    }
    let mut special = Map::new();
    let mut token = |id: u32, type_id: u32| {
        let text = spelling(tokenizer, id);
        special.insert(text.clone(), json!({"id": text, "ids": [id], "tokens": [text]}));
        json!({"SpecialToken": {"id": text, "type_id": type_id}})
    };
    let mut part = |name: &str, type_id: u32| {
        let body = json!({"Sequence": {"id": name, "type_id": type_id}});
        let begin = first.map(|id| token(id, type_id));
        let end = last.map(|id| token(id, type_id));
        begin.into_iter().chain([body]).chain(end).collect::<Vec<_>>()
    };
    let single = part("A", 0);
    let pair: Vec<Value> = single.iter().cloned().chain(part("B", 1)).collect();
    json!({
        "type": "TemplateProcessing",
        "single": single,
        "pair": pair,
        "special_tokens": special,
    })
}

fn model(tokenizer: &Tokenizer) -> Value {
    let vocabulary: Map<String, Value> =
        (0..tokenizer.vocab_size()).map(|id| (spelling(tokenizer, id), json!(id))).collect();
    match tokenizer.special.unknown {
        Some(id) => {
            let unknown = spelling(tokenizer, id);
            json!({"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown})
        }
        None => json!({
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocabulary,
            "merges": [],
        }),
    }
}
