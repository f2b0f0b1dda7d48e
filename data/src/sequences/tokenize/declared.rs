//! Which tokens have a meaning, from the files beside a `tokenizer.json`, in the order of transformers.
//!
//! `tokenizer_config.json` names them; what it leaves out, `special_tokens_map.json` of older folders
//! names; what neither names, `config.json` of the model gives by id. No token is guessed from its spelling.
//! `add_bos_token` and `add_eos_token` do not count beside a `tokenizer.json`, as in transformers 5: what is put
//! around a text is its post-processor's.

use std::path::Path;

use serde_json::{Map, Value};

use super::problem;
use super::save::{CONFIG_FILE, read_object};
use crate::error::Result;

/// What a token may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Begin,
    End,
    Pad,
    Mask,
    Unknown,
}

impl Role {
    const ALL: [Self; 5] = [Self::Begin, Self::End, Self::Pad, Self::Mask, Self::Unknown];

    /// Keys that name it; BERT and its like have a second one.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Begin => &["bos_token", "cls_token"],
            Self::End => &["eos_token", "sep_token"],
            Self::Pad => &["pad_token"],
            Self::Mask => &["mask_token"],
            Self::Unknown => &["unk_token"],
        }
    }

    /// Its key in the configuration of a model.
    fn id_key(self) -> Option<&'static str> {
        match self {
            Self::Begin => Some("bos_token_id"),
            Self::End => Some("eos_token_id"),
            Self::Pad => Some("pad_token_id"),
            Self::Mask | Self::Unknown => None,
        }
    }
}

/// The key and the token that a configuration names for a role.
pub(super) fn token_of(config: &Map<String, Value>, role: Role) -> Option<(&'static str, &str)> {
    role.keys().iter().find_map(|key| {
        let token = match config.get(*key)? {
            Value::String(token) => token.as_str(),
            Value::Object(token) => token.get("content")?.as_str()?,
            _ => return None,
        };
        Some((*key, token))
    })
}

/// `tokenizer_config.json` of `folder` with what the other files declare; `token` gives the text of an id.
pub(super) fn declared(
    folder: &Path,
    token: impl Fn(u32) -> Option<String>,
) -> Result<Map<String, Value>> {
    let mut config = read_object(&folder.join(CONFIG_FILE))?;
    for (key, value) in read_object(&folder.join("special_tokens_map.json"))? {
        config.entry(key).or_insert(value);
    }
    let model = read_object(&folder.join("config.json"))?;
    for role in Role::ALL {
        let said = role.keys().iter().any(|key| config.contains_key(*key));
        let Some(key) = role.id_key().filter(|_| !said) else { continue };
        if let Some(token) = first_id(model.get(key)).and_then(&token) {
            config.insert(role.keys()[0].to_owned(), Value::String(token));
        }
    }
    Ok(config)
}

/// An id, or the first of several; -1 and its like stand for none.
fn first_id(value: Option<&Value>) -> Option<u32> {
    let value = value?;
    let one = value.as_array().map_or(Some(value), |all| all.first())?;
    u32::try_from(one.as_u64()?).ok()
}

/// Tokens that end what a model generates: those that `generation_config.json` lists, else those of
/// `config.json`. Ids are as the texts of these files have them.
///
/// # Errors
/// A value that is neither an id nor a list of ids.
pub fn end_tokens(generation: Option<&Value>, config: Option<&Value>) -> Result<Vec<u32>> {
    const KEY: &str = "eos_token_id";
    fn said(file: Option<&Value>) -> Option<&Value> {
        file.and_then(|it| it.get(KEY)).filter(|it| !it.is_null())
    }
    let (file, value) = match (said(generation), said(config)) {
        (Some(value), _) => ("generation_config.json", value),
        (None, Some(value)) => ("config.json", value),
        (None, None) => return Ok(Vec::new()),
    };
    let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    // Negative ids stand for none.
    let ids = list.iter().filter(|id| id.as_i64().is_none_or(|id| id >= 0));
    let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
    ids.map(id).collect::<Option<Vec<u32>>>().ok_or_else(|| {
        let found = format!("{KEY} is {value}, neither an id nor a list of ids");
        problem(file, found, "write a number or a list of numbers")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_one_file_does_not_say_the_next_one_says_and_null_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, value: Value| {
            std::fs::write(dir.path().join(name), value.to_string()).unwrap();
        };
        write(CONFIG_FILE, json!({"bos_token": null, "unk_token": {"content": "U"}}));
        write("special_tokens_map.json", json!({"bos_token": "B", "mask_token": "M"}));
        write(
            "config.json",
            json!({"bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": -1}),
        );
        let config = declared(dir.path(), |id| Some(format!("t{id}"))).unwrap();
        assert_eq!(token_of(&config, Role::Begin), None, "null says that there is none");
        assert_eq!(token_of(&config, Role::End), Some(("eos_token", "t2")));
        assert_eq!(token_of(&config, Role::Mask), Some(("mask_token", "M")));
        assert_eq!(token_of(&config, Role::Unknown), Some(("unk_token", "U")));
        assert_eq!(token_of(&config, Role::Pad), None);
    }

    #[test]
    fn every_end_token_counts_and_generation_settings_come_first() {
        let ends = |generation: Value, config: Value| end_tokens(Some(&generation), Some(&config));
        let (one, two) = (json!({"eos_token_id": 1}), json!({"eos_token_id": [2, 53]}));
        assert_eq!(ends(two.clone(), one.clone()).unwrap(), [2, 53]);
        assert_eq!(ends(one, two.clone()).unwrap(), [1]);
        assert_eq!(ends(json!({"eos_token_id": null}), two).unwrap(), [2, 53]);
        assert_eq!(ends(json!({}), json!({"eos_token_id": -1})).unwrap(), Vec::<u32>::new());
        assert!(ends(json!({"eos_token_id": "x"}), json!({})).is_err());
    }
}
