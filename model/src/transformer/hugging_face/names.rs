//! What a tensor in a file is, by its name.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Family, TransformerConfig, specs, specs::Names},
    Preserved,
};
use crate::ConfigProblems;

/// What a tensor of a file is to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canonical {
    /// The parameter of this canonical name.
    Parameter(String),
    /// A second copy of the parameter of this canonical name, kept by files of tied models.
    TiedCopy(String),
    /// Not part of the network, to be kept unchanged: contact head, stored rotary frequencies,
    /// unused position embeddings, causal-mask buffers, the pooler.
    Preserved,
    /// None of this model's business; the file is of another model.
    Unknown,
}

/// What the tensor `file_name` is in a folder whose configuration is `config`.
///
/// Accepts `gamma` and `beta` for the weight and bias of a `LayerNorm`, and names without the
/// prefix `transformer.`, `model.` or `esm.`, which files of headless models have.
pub fn canonical_name(config: &TransformerConfig, file_name: &str) -> Canonical {
    NameTable::new(config).canonical(file_name)
}

/// Whether the tensor holds the rotary frequencies that
/// [`TransformerConfig::with_stored_frequencies`] takes.
pub fn is_rotary_frequencies(file_name: &str) -> bool {
    file_name == "inv_freq" || file_name.ends_with(".inv_freq")
}

impl Preserved {
    /// Sorts all tensor names of a folder into parameters, tied copies and the rest.
    ///
    /// # Errors
    /// [`ConfigProblems`] listing every unknown tensor, every parameter that two tensors claim and
    /// every parameter that is missing.
    pub fn record_names<'a>(
        &mut self,
        config: &TransformerConfig,
        file_names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ConfigProblems> {
        let table = NameTable::new(config);
        let mut problems = Vec::new();
        let mut found = BTreeMap::new();
        let (mut copies, mut kept) = (BTreeMap::new(), Vec::new());
        for file in file_names {
            match table.canonical(file) {
                Canonical::Parameter(name) => {
                    if let Some(other) = found.insert(name.clone(), file.to_owned()) {
                        problems.push(format!("`{file}` and `{other}` are both `{name}`"));
                    }
                }
                Canonical::TiedCopy(name) => {
                    copies.insert(file.to_owned(), name);
                }
                Canonical::Preserved => kept.push(file.to_owned()),
                Canonical::Unknown => problems.push(table.unknown(file)),
            }
        }
        for name in table.parameters.iter().filter(|name| !found.contains_key(*name)) {
            problems.push(format!("tensor `{name}` is missing"));
        }
        ConfigProblems::check(problems)?;
        (self.file_names, self.tied_copies, self.tensors) = (found, copies, kept);
        Ok(())
    }
}

struct NameTable {
    family: Family,
    parameters: BTreeSet<String>,
}

impl NameTable {
    fn new(config: &TransformerConfig) -> Self {
        let parameters = specs(config).iter().map(|spec| spec.name.clone()).collect();
        Self { family: config.family, parameters }
    }

    fn canonical(&self, file_name: &str) -> Canonical {
        let name = modern(file_name);
        let prefixed = format!("{}{name}", self.prefix());
        for candidate in [&name, &prefixed] {
            if self.parameters.contains(candidate) {
                return Canonical::Parameter(candidate.clone());
            }
        }
        if let Some(original) = self.tied_original(&name) {
            return Canonical::TiedCopy(original);
        }
        let inside = name.strip_prefix(self.prefix()).unwrap_or(&name);
        if self.is_kept(inside) { Canonical::Preserved } else { Canonical::Unknown }
    }

    fn prefix(&self) -> &'static str {
        match self.family {
            Family::Gpt2 => "transformer.",
            Family::Llama => "model.",
            Family::Esm2 => "esm.",
        }
    }

    /// `name` is no parameter itself, so a decoder weight here means that the head is tied.
    fn tied_original(&self, name: &str) -> Option<String> {
        if name == format!("{}.weight", Names::decoder(self.family)) {
            return Some(format!("{}.weight", Names::token_embedding(self.family)));
        }
        (self.family == Family::Esm2 && name == "lm_head.decoder.bias")
            .then(|| format!("{}.bias", Names::LOGIT_BIAS))
    }

    /// `inside` is the name without the family's prefix.
    fn is_kept(&self, inside: &str) -> bool {
        match self.family {
            Family::Gpt2 => is_mask_buffer(inside),
            Family::Llama => is_rotary_buffer(inside),
            Family::Esm2 => {
                is_rotary_buffer(inside)
                    || inside.starts_with("contact_head.")
                    || inside.starts_with("pooler.")
                    || inside == "embeddings.position_ids"
                    || inside == "embeddings.position_embeddings.weight"
            }
        }
    }

    fn unknown(&self, file_name: &str) -> String {
        let family = self.family;
        format!("tensor `{file_name}` does not belong to a {family:?} language model")
    }
}

/// What versions of transformers have stored of rotary positions: frequencies, and tables of cosines and
/// sines.
fn is_rotary_buffer(inside: &str) -> bool {
    const TABLES: [&str; 3] = ["cos_cached", "sin_cached", "original_inv_freq"];
    let last = inside.rsplit('.').next().unwrap_or(inside);
    is_rotary_frequencies(inside) || (inside.contains("rotary_emb") && TABLES.contains(&last))
}

/// `h.<layer>.attn.bias` and `h.<layer>.attn.masked_bias` of old GPT-2 files.
fn is_mask_buffer(inside: &str) -> bool {
    let Some((layer, rest)) = inside.strip_prefix("h.").and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    layer.parse::<usize>().is_ok() && matches!(rest, "attn.bias" | "attn.masked_bias")
}

/// The name with `LayerNorm.gamma` and `LayerNorm.beta` spelt as `weight` and `bias`.
fn modern(file_name: &str) -> String {
    let respell = |old: &str, new: &str| {
        let module = file_name.strip_suffix(old)?;
        module.to_ascii_lowercase().ends_with("norm").then(|| format!("{module}{new}"))
    };
    respell(".gamma", ".weight")
        .or_else(|| respell(".beta", ".bias"))
        .unwrap_or_else(|| file_name.to_owned())
}
