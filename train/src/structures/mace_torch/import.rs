//! A folder of mace-torch as a checkpoint that every other command takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::foreign::ForeignMace;
use crate::checkpoint::format::digest_of;
use crate::checkpoint::{Contents, Description, HostTensor, Metrics, RealDisk, save};
use crate::exchange::error::ExchangeError;
use crate::exchange::staging::StagedFolder;
use crate::family::Family;
use crate::structures::Structures;
use crate::structures::plan::NO_TOKENIZER;

/// What was imported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaceImportReport {
    /// Checkpoint folder.
    pub checkpoint: PathBuf,
    /// Scalars in all parameters.
    pub num_parameters: usize,
    /// Elements that it knows.
    pub num_elements: usize,
    /// SHA-256 over the digests of config.json and the weight file.
    pub source_digest: String,
}

/// Reads the folder `dir` of mace-torch and writes it as the checkpoint folder `out`, in F64.
///
/// # Errors
/// [`ExchangeError`] naming file, tensor or key; nothing is left at `out` then.
pub fn import(dir: &Path, out: &Path) -> Result<MaceImportReport, ExchangeError> {
    let mut model = ForeignMace::read(dir)?;
    let staged = StagedFolder::create(out, None)?;
    let config = model.blueprint.config();
    let description = describe(&model, out)?;
    let num_elements = config.elements.len();
    let specs = model.blueprint.specs().clone();
    let tensors: Vec<HostTensor> = specs
        .iter()
        .map(|spec| HostTensor {
            name: spec.name.clone(),
            shape: spec.shape.clone(),
            values: model.parameters.remove(&spec.name).unwrap_or_default().into(),
        })
        .collect();
    let contents =
        Contents { description, model: &tensors, optimizer: None, attachments: &BTreeMap::new() };
    let saved = save(&mut RealDisk, &staged.path().join("checkpoints"), &contents)?;
    staged.commit_inner(&saved)?;
    Ok(MaceImportReport {
        checkpoint: out.to_path_buf(),
        num_parameters: tensors.iter().map(|tensor| tensor.values.len()).sum(),
        num_elements,
        source_digest: model.source.digest,
    })
}

fn describe(model: &ForeignMace, out: &Path) -> Result<Description, ExchangeError> {
    let config = json!({ "imported": { "format": "mace", "digest": model.source.digest } });
    let network = serde_json::to_value(model.blueprint.config())
        .map_err(|error| ExchangeError::unsuitable(out, error.to_string()))?;
    Ok(Description {
        step: 0,
        position: 0,
        tokens_seen: 0,
        wall_seconds: 0.0,
        world_size: 1,
        seed: 0,
        family: Structures::NAME.to_owned(),
        model: network,
        config_digest: digest_of(&config),
        config,
        dataset_digest: String::new(),
        tokenizer_kind: NO_TOKENIZER.to_owned(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        metrics: Metrics::default(),
        best: None,
        mixture: None,
        plateau: None,
        left_out_steps: 0,
        went_on: 0,
        watched: None,
    })
}
