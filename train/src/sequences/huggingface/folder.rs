//! The files of an export: weights, configuration, tokenizer, generation settings.
//!
//! An imported model gets its own names, element types, kept tensors and texts back; a model
//! trained here gets the names and keys that transformers 4 and 5 both read.

use std::collections::BTreeMap;
use std::path::Path;

use genesis_data::error::DataError;
use genesis_data::sequences::tokenize::{Tokenizer, TokenizerKind};
use genesis_model::transformer::hugging_face::{TokenIds, config_to_json};
use genesis_model::transformer::{Family, TransformerConfig};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::origin::Origin;
use crate::exchange::CONFIG;
use crate::exchange::error::ExchangeError;
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::{WEIGHTS, serialise_safetensors};
use crate::sequences::inference::SequencesModel;

/// Element type of exported parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredDtype {
    /// 32 bits: exactly what was trained.
    F32,
    /// 16 bits, 11 of precision, range 6e-8 to 65504.
    F16,
    /// 16 bits, 8 of precision, the range of f32.
    Bf16,
}

impl StoredDtype {
    fn safetensors(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }

    fn torch(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }
}

/// Tensors to write, by their name in the file.
///
/// # Errors
/// A value that the element type cannot hold: f16 ends at 65504.
pub fn tensors(
    model: &SequencesModel,
    dtype: Option<StoredDtype>,
) -> Result<BTreeMap<String, StoredTensor>, ExchangeError> {
    let origin = model.origin.as_ref();
    let mut tensors = BTreeMap::new();
    for (parameter, shape, values) in model.params.host() {
        let name = origin.map_or(parameter.as_str(), |o| o.preserved.file_name(&parameter));
        let imported = origin.and_then(|origin| origin.dtypes.get(name)).copied();
        let stored = dtype.map(StoredDtype::safetensors).or(imported).unwrap_or(Dtype::F32);
        let tensor = StoredTensor::from_f32(&values, &shape, stored);
        tensor.finite_f32(&model.source.path, &parameter)?;
        tensors.insert(name.to_owned(), tensor);
    }
    match origin {
        Some(origin) => add_kept(origin, &mut tensors),
        None => add_unused(&model.config, &mut tensors),
    }
    Ok(tensors)
}

/// Tied copies follow their parameter; tensors the model does not use come back unchanged.
fn add_kept(origin: &Origin, tensors: &mut BTreeMap<String, StoredTensor>) {
    for (copy, parameter) in &origin.preserved.tied_copies {
        if let Some(tensor) = tensors.get(origin.preserved.file_name(parameter)) {
            tensors.insert(copy.clone(), tensor.clone());
        }
    }
    let kept = origin.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone()));
    tensors.extend(kept);
}

/// Tensors that `EsmForMaskedLM` expects beside the parameters: a contact head, which masked
/// language modelling neither trains nor uses and which would be filled with random numbers, and
/// the rotary frequencies of every layer, without which transformers 4 computes other angles.
fn add_unused(config: &TransformerConfig, tensors: &mut BTreeMap<String, StoredTensor>) {
    if config.family != Family::Esm2 {
        return;
    }
    let mut add = |name: String, values: &[f32], shape: &[usize]| {
        tensors.insert(name, StoredTensor::from_f32(values, shape, Dtype::F32));
    };
    let maps = config.num_layers * config.num_heads;
    add("esm.contact_head.regression.weight".to_owned(), &vec![0.0; maps], &[1, maps]);
    add("esm.contact_head.regression.bias".to_owned(), &[0.0], &[1]);
    let Some(rotary) = &config.rotary else { return };
    let frequencies = rotary.frequencies(config.head_width);
    for layer in 0..config.num_layers {
        let name = format!("esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq");
        add(name, &frequencies, &[frequencies.len()]);
    }
}

/// All files but the report, by name. `scratch` is a folder where a tokenizer can be saved.
///
/// # Errors
/// As [`tensors`]; the tokenizer cannot be saved.
pub fn files(
    model: &SequencesModel,
    dtype: Option<StoredDtype>,
    scratch: &Path,
) -> Result<BTreeMap<String, Vec<u8>>, ExchangeError> {
    let tensors = tensors(model, dtype)?;
    let weights = serialise_safetensors(tensors.iter().map(|(name, t)| (name.as_str(), t)));
    let mut files = BTreeMap::from([
        (WEIGHTS.to_owned(), weights),
        (CONFIG.to_owned(), config_text(model, dtype).into_bytes()),
    ]);
    if let Some(origin) = &model.origin {
        files.extend(origin.texts.iter().map(|(name, text)| (name.clone(), text.clone().into())));
        return Ok(files);
    }
    if let Some(tokenizer) = &model.tokenizer {
        let causal = model.config.causal();
        files.extend(tokenizer_files(tokenizer, scratch, |dir| {
            tokenizer.save_for_model(dir, causal)
        })?);
    }
    if model.config.causal() {
        files.insert("generation_config.json".to_owned(), generation_config(model));
    }
    Ok(files)
}

/// config.json: the original text of an imported model whose configuration is still the same.
fn config_text(model: &SequencesModel, dtype: Option<StoredDtype>) -> String {
    let preserved = model.origin.as_ref().map(|origin| &origin.preserved);
    let mut value = config_to_json(&model.config, &token_ids(model), preserved);
    if let (Some(dtype), Some(object)) = (dtype, value.as_object_mut()) {
        // transformers 5 calls it `dtype`, 4 `torch_dtype`.
        let key = if object.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        object.insert(key.to_owned(), json!(dtype.torch()));
    }
    match &model.origin {
        Some(origin) if origin.preserved.config == value => origin.config_text.clone(),
        _ => pretty(&value),
    }
}

fn token_ids(model: &SequencesModel) -> TokenIds {
    let tokenizer = model.tokenizer.as_ref();
    TokenIds {
        bos: tokenizer.and_then(Tokenizer::bos),
        eos: tokenizer.and_then(Tokenizer::eos),
        pad: tokenizer.and_then(Tokenizer::pad),
    }
}

fn generation_config(model: &SequencesModel) -> Vec<u8> {
    let ids = token_ids(model);
    // Where there is no padding token, transformers pads with the end token; saying so avoids its
    // warning on every call.
    let value = json!({
        "bos_token_id": ids.bos,
        "eos_token_id": ids.eos,
        "pad_token_id": ids.pad.or(ids.eos),
    });
    pretty(&value).into_bytes()
}

/// The files that `save` writes into `scratch` for the tokenizer; for proteins also the vocab.txt that
/// `EsmTokenizer` reads.
pub fn tokenizer_files(
    tokenizer: &Tokenizer,
    scratch: &Path,
    save: impl FnOnce(&Path) -> Result<(), DataError>,
) -> Result<BTreeMap<String, Vec<u8>>, ExchangeError> {
    save(scratch).map_err(|error| ExchangeError::unsuitable(scratch, error.to_string()))?;
    let mut files = BTreeMap::new();
    for name in Tokenizer::FILES {
        let path = scratch.join(name);
        let bytes = std::fs::read(&path).map_err(ExchangeError::io(&path, "read"))?;
        files.insert(name.to_owned(), bytes);
    }
    if tokenizer.kind() == TokenizerKind::AminoAcid {
        let tokens = (0..tokenizer.vocab_size()).filter_map(|id| tokenizer.token_text(id));
        let lines: Vec<&str> = tokens.collect();
        files.insert("vocab.txt".to_owned(), lines.join("\n").into_bytes());
    }
    Ok(files)
}

/// JSON as transformers writes it: two spaces, a final line feed.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value has string keys") + "\n"
}
