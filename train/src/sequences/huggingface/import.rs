//! A Hugging Face folder becomes a checkpoint of step 0, which every command takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::folder::tokenizer_files;
use crate::checkpoint::format::digest_of;
use crate::checkpoint::{Contents, Description, HostTensor, Metrics, RealDisk, save};
use crate::exchange::CHECKPOINT;
use crate::exchange::error::ExchangeError;
use crate::exchange::staging::StagedFolder;
use crate::family::Family;
use crate::sequences::Sequences;
use crate::sequences::inference::SequencesModel;
use crate::sequences::inference::letters::LETTERS;

/// What was imported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// Checkpoint folder.
    pub checkpoint: PathBuf,
    /// Architecture, as transformers names it in `model_type`.
    pub family: String,
    /// Scalars in all parameters.
    pub num_parameters: usize,
    /// Parameter tensors.
    pub num_tensors: usize,
    /// Tensors kept and not used.
    pub kept: Vec<String>,
    /// Kind of the tokenizer, if the folder has one that can be read.
    pub tokenizer: Option<String>,
    /// SHA-256 over the digests of config.json and the weight files.
    pub source_digest: String,
    /// What the model cannot honour, one sentence each.
    pub notes: Vec<String>,
}

/// Reads the Hugging Face folder `dir` and writes it as the checkpoint folder `out`.
///
/// # Errors
/// [`ExchangeError`] naming file, tensor or key; nothing is left at `out` then.
pub fn import(dir: &Path, out: &Path) -> Result<ImportReport, ExchangeError> {
    let model = SequencesModel::read(dir)?;
    if model.source.kind == CHECKPOINT {
        let problem = "is a checkpoint already and can be used as it is";
        return Err(ExchangeError::unsuitable(dir, problem));
    }
    let staged = StagedFolder::create(out, None)?;
    let attachments = attachments(&model, staged.path())?;
    let tensors = host_tensors(&model);
    let contents = Contents {
        description: describe(&model),
        model: &tensors,
        optimizer: None,
        attachments: &attachments,
    };
    let saved = save(&mut RealDisk, &staged.path().join("checkpoints"), &contents)?;
    staged.commit_inner(&saved)?;
    Ok(report(&model, out))
}

/// Tokenizer files and the memory of the original folder.
fn attachments(
    model: &SequencesModel,
    scratch: &Path,
) -> Result<BTreeMap<String, Vec<u8>>, ExchangeError> {
    let mut attachments = match &model.tokenizer {
        Some(tokenizer) => tokenizer_files(tokenizer, scratch, |dir| tokenizer.save(dir))?,
        None => BTreeMap::new(),
    };
    if let Some(origin) = &model.origin {
        attachments.extend(origin.to_attachments());
    }
    Ok(attachments)
}

fn host_tensors(model: &SequencesModel) -> Vec<HostTensor> {
    let host = model.params.host().into_iter();
    host.map(|(name, shape, values)| HostTensor { name, shape, values: values.into() }).collect()
}

fn describe(model: &SequencesModel) -> Description {
    let mut config =
        json!({ "imported": { "format": "huggingface", "digest": model.source.digest } });
    if !model.letters.rules.is_default() {
        config[LETTERS] = json!(model.letters.rules);
    }
    Description {
        step: 0,
        position: 0,
        world_size: 1,
        seed: 0,
        family: Sequences::NAME.to_owned(),
        model: serde_json::to_value(&model.config).expect("a configuration has string keys"),
        config_digest: digest_of(&config),
        config,
        dataset_digest: String::new(),
        tokenizer_kind: tokenizer_kind(model).unwrap_or_default(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        metrics: Metrics::default(),
        tokens_seen: 0,
        wall_seconds: 0.0,
        best: None,
        mixture: None,
        plateau: None,
        left_out_steps: 0,
        went_on: 0,
        watched: None,
    }
}

fn tokenizer_kind(model: &SequencesModel) -> Option<String> {
    model.tokenizer.as_ref().map(|tokenizer| tokenizer.kind().name().to_owned())
}

fn report(model: &SequencesModel, out: &Path) -> ImportReport {
    let origin = model.origin.as_ref();
    let family = origin.and_then(|origin| origin.preserved.config["model_type"].as_str());
    ImportReport {
        checkpoint: fs::canonicalize(out).unwrap_or_else(|_| out.to_path_buf()),
        family: family.unwrap_or_default().to_owned(),
        num_parameters: model.params.num_elements(),
        num_tensors: model.params.specs().len(),
        kept: origin.map(|o| o.tensors.keys().cloned().collect()).unwrap_or_default(),
        tokenizer: tokenizer_kind(model),
        source_digest: model.source.digest.clone(),
        notes: model.source.notes.clone(),
    }
}
