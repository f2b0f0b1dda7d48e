//! Translation to and from the folders that transformers writes: `config.json` and tensor names.
//!
//! Pure functions of JSON values and names; reading and writing files is not done here. What the
//! network does not use (unknown keys, the contact head of ESM-2, old buffers) is listed in
//! [`Preserved`], so that an imported folder can be exported again with the same content.

mod config_in;
mod config_out;
mod names;
mod reader;

use std::collections::BTreeMap;

use serde_json::Value;

pub use config_in::config_from_json;
pub use config_out::{TokenIds, config_to_json};
pub use names::{Canonical, canonical_name, is_rotary_frequencies};

/// What an import has to remember for an export.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preserved {
    /// The whole `config.json`.
    pub config: Value,
    /// What the import cannot honour, one sentence each, to be shown to the user.
    pub notes: Vec<String>,
    /// Name in the file of each parameter, by canonical name.
    pub file_names: BTreeMap<String, String>,
    /// Tensors of the file that repeat a parameter: file name to canonical name. They have to be
    /// written with the parameter's current value.
    pub tied_copies: BTreeMap<String, String>,
    /// Tensors of the file to keep as they are.
    pub tensors: Vec<String>,
}

impl Preserved {
    /// Name to write for a parameter: the one it was read under, else the canonical one, which
    /// both transformers 4 and 5 load.
    pub fn file_name<'a>(&'a self, canonical: &'a str) -> &'a str {
        self.file_names.get(canonical).map_or(canonical, String::as_str)
    }
}
