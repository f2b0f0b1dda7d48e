//! Reads a Hugging Face folder into a configuration, parameters by canonical name, and the rest.
//!
//! Nothing is guessed: a tensor that is missing, superfluous, misshapen, not a float or not finite
//! is an error, and so is a configuration option that this model does not have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use genesis_model::transformer::hugging_face::{
    Canonical, canonical_name, config_from_json, is_rotary_frequencies,
};
use genesis_model::transformer::{Family, TransformerConfig, specs};

use super::origin::Origin;
use crate::exchange::CONFIG;
use crate::exchange::error::{ExchangeError, TensorProblem};
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::{WeightFiles, read_json};

/// Small text files that come back unchanged when an imported model is exported.
const KEPT_TEXTS: [&str; 9] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
];

/// A model read from a Hugging Face folder.
#[derive(Debug, Clone)]
pub struct ForeignModel {
    /// What the model is.
    pub config: TransformerConfig,
    /// Values by canonical name, as f32.
    pub values: BTreeMap<String, Vec<f32>>,
    /// Everything else the folder says.
    pub origin: Origin,
}

impl ForeignModel {
    /// Reads config.json and the weight files of `folder`.
    ///
    /// # Errors
    /// [`ExchangeError`] naming file, tensor or key and the values that disagree.
    pub fn read(folder: &Path) -> Result<Self, ExchangeError> {
        let config_path = folder.join(CONFIG);
        if !config_path.is_file() {
            let because = format!("there is no {CONFIG}");
            return Err(ExchangeError::NotAModel { path: folder.to_path_buf(), because });
        }
        let value = read_json(&config_path)?;
        let (config, preserved) = config_from_json(&value)
            .map_err(|problems| config_problems(&config_path, &problems))?;
        let config_text = read_text(&config_path)?;
        let weights = WeightFiles::read(folder)?;
        let mut origin = Origin::new(preserved, config_text, read_kept_texts(folder)?);
        let sorted = Sorted::sort(&config, &weights)?;
        origin
            .preserved
            .record_names(&config, weights.tensors.keys().map(String::as_str))
            .map_err(|problems| config_problems(&weights.listed_by, &problems))?;
        origin.dtypes =
            weights.tensors.iter().map(|(name, (_, t))| (name.clone(), t.dtype)).collect();
        // Other families compute their frequencies from config.json, whatever a file stores; ESM-2 was
        // trained with those of its file.
        let config = if config.family == Family::Esm2 {
            let stored = sorted.frequencies(&weights.listed_by)?;
            config.with_stored_frequencies(stored)
        } else {
            config
        };
        let values = sorted.values()?;
        origin.tensors = sorted.kept;
        Ok(Self { config, values, origin })
    }
}

/// The tensors of a folder by their part in the model.
struct Sorted<'a> {
    /// By canonical name: name in the file, file, tensor.
    parameters: BTreeMap<String, (&'a str, &'a PathBuf, &'a StoredTensor)>,
    kept: BTreeMap<String, StoredTensor>,
}

impl<'a> Sorted<'a> {
    fn sort(config: &TransformerConfig, weights: &'a WeightFiles) -> Result<Self, ExchangeError> {
        let mut sorted = Self { parameters: BTreeMap::new(), kept: BTreeMap::new() };
        let mut problems = Vec::new();
        let mut copies = Vec::new();
        for (name, (file, tensor)) in &weights.tensors {
            match canonical_name(config, name) {
                Canonical::Parameter(parameter) => {
                    let entry = (name.as_str(), file, tensor);
                    if let Some((first, ..)) = sorted.parameters.insert(parameter.clone(), entry) {
                        let (first, second) = (first.to_owned(), name.clone());
                        problems.push(TensorProblem::Duplicate { parameter, first, second });
                    }
                }
                Canonical::TiedCopy(parameter) => copies.push((name, parameter, tensor)),
                Canonical::Preserved => {
                    sorted.kept.insert(name.clone(), tensor.clone());
                }
                Canonical::Unknown => problems.push(TensorProblem::Unknown {
                    tensor: name.clone(),
                    got: tensor.shape.clone(),
                }),
            }
        }
        sorted.check_shapes(config, &mut problems);
        sorted.check_copies(&copies, &mut problems);
        if problems.is_empty() {
            return Ok(sorted);
        }
        Err(ExchangeError::Misfit { file: weights.listed_by.clone(), problems })
    }

    fn check_shapes(&self, config: &TransformerConfig, problems: &mut Vec<TensorProblem>) {
        for spec in specs(config).iter() {
            let want = spec.shape.clone();
            match self.parameters.get(&spec.name) {
                None => problems.push(TensorProblem::Missing { tensor: spec.name.clone(), want }),
                Some((name, _, tensor)) if tensor.shape != want => {
                    let (tensor, got) = ((*name).to_owned(), tensor.shape.clone());
                    problems.push(TensorProblem::Shape { tensor, got, want });
                }
                Some(_) => {}
            }
        }
    }

    fn check_copies(
        &self,
        copies: &[(&String, String, &StoredTensor)],
        problems: &mut Vec<TensorProblem>,
    ) {
        for (name, parameter, tensor) in copies {
            let original = self.parameters.get(parameter).map(|(_, _, original)| *original);
            if original.is_some_and(|original| original != *tensor) {
                let (tensor, parameter) = ((*name).clone(), parameter.clone());
                problems.push(TensorProblem::NotTied { tensor, parameter });
            }
        }
    }

    /// Rotary frequencies stored as a buffer, if any; all layers must agree.
    fn frequencies(&self, file: &Path) -> Result<Option<Vec<f32>>, ExchangeError> {
        let mut found: Option<(&String, Vec<f32>)> = None;
        for (name, tensor) in self.kept.iter().filter(|(name, _)| is_rotary_frequencies(name)) {
            let values = tensor.finite_f32(file, name)?;
            match &found {
                None => found = Some((name, values)),
                Some((first, other)) if *other != values => {
                    return Err(ExchangeError::malformed(
                        file,
                        format!("`{name}` differs from `{first}`"),
                        "all layers share one set of rotary frequencies; save the model again",
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(found.map(|(_, values)| values))
    }

    fn values(&self) -> Result<BTreeMap<String, Vec<f32>>, ExchangeError> {
        self.parameters
            .iter()
            .map(|(parameter, (name, file, tensor))| {
                Ok((parameter.clone(), tensor.finite_f32(file, name)?))
            })
            .collect()
    }
}

fn config_problems(path: &Path, problems: &dyn std::fmt::Display) -> ExchangeError {
    ExchangeError::malformed(
        path,
        problems.to_string(),
        "models of the families gpt2, llama and esm (rotary) are read; see \
         docs/guides/exchange-with-hugging-face.md for the options",
    )
}

fn read_text(path: &Path) -> Result<String, ExchangeError> {
    std::fs::read_to_string(path).map_err(ExchangeError::io(path, "read as text"))
}

fn read_kept_texts(folder: &Path) -> Result<BTreeMap<String, String>, ExchangeError> {
    KEPT_TEXTS
        .iter()
        .filter(|name| folder.join(name).is_file())
        .map(|name| Ok(((*name).to_owned(), read_text(&folder.join(name))?)))
        .collect()
}
