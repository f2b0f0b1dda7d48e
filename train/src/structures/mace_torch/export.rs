//! Writes a folder of mace-torch, reads it back, and refuses it if it does not predict what the
//! model predicts that it was made from.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::FloatDType;
use genesis_data::dataset::card::sha256_of_bytes;
use genesis_model::equivariant::mace_torch::{self, Buffer, BufferType, Exported};
use safetensors::Dtype;
use serde::Serialize;

use super::reference;
use crate::checkpoint::FileEntry;
use crate::exchange::CONFIG;
use crate::exchange::ModelSource;
use crate::exchange::REPORT;
use crate::exchange::error::ExchangeError;
use crate::exchange::staging::StagedFolder;
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::{WEIGHTS, serialise_safetensors};
use crate::structures::StructuresModel;

/// The program beside the export that makes the torch model.
const LOADER: &str = "load_mace.py";
const LOADER_TEXT: &str = include_str!("load_mace.py");

/// Largest relative difference between the folder read back and the model in f64, and why.
const BOUND: f64 = 1e-11;
const BOUND_BECAUSE: &str = "the weights of symmetric couplings become those of all couplings by a \
                             product of matrices in f64, whose roundings are below 1e-13 of the \
                             largest term";

/// What was written; stored in the folder as `export.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaceExportReport {
    /// Always `mace`.
    pub format: &'static str,
    /// Class of mace-torch.
    pub architecture: String,
    /// Model it was made from.
    pub source: ModelSource,
    /// Version of genesis.
    pub code_version: &'static str,
    /// Scalars in all parameters of the folder.
    pub num_parameters: usize,
    /// Largest relative difference of energies, forces and stress between the folder read back and
    /// the model, both in f64.
    pub max_rel: f64,
    /// What it must not exceed.
    pub bound: f64,
    /// Where the bound comes from.
    pub bound_because: &'static str,
    /// Every other file of the folder.
    pub files: Vec<FileEntry>,
}

/// Exports the run, checkpoint or mace folder `model` to the folder `out`.
///
/// # Errors
/// [`ExchangeError::PredictionsDiffer`] if the folder does not answer like the model;
/// [`ExchangeError::Exists`] if `out` is there; what opening and writing can fail with. Nothing is
/// left at `out` then.
pub fn export(
    model: &Path,
    out: &Path,
    overwrite: bool,
) -> Result<MaceExportReport, ExchangeError> {
    let model = StructuresModel::open(model)?;
    let staged = StagedFolder::create(out, overwrite.then_some(REPORT))?;
    let exported = mace_torch::export(&model.blueprint, &model.params);
    let files = files(&exported, out)?;
    for (name, bytes) in &files {
        staged.write(name, bytes)?;
    }
    let max_rel = parity(&model, staged.path(), out)?;
    let report = MaceExportReport {
        format: "mace",
        architecture: exported.config["model"].as_str().unwrap_or_default().to_owned(),
        source: model.source,
        code_version: env!("CARGO_PKG_VERSION"),
        num_parameters: exported.parameters.values().map(|it| it.values.len()).sum(),
        max_rel,
        bound: BOUND,
        bound_because: BOUND_BECAUSE,
        files: files
            .iter()
            .map(|(name, bytes)| FileEntry {
                name: (*name).to_owned(),
                bytes: bytes.len() as u64,
                sha256: sha256_of_bytes(bytes),
            })
            .collect(),
    };
    let text = serde_json::to_vec_pretty(&report)
        .map_err(|error| ExchangeError::unsuitable(out, error.to_string()))?;
    staged.write(REPORT, &text)?;
    staged.commit()?;
    Ok(report)
}

/// The folder read back against the model, which must agree.
fn parity(model: &StructuresModel, folder: &Path, out: &Path) -> Result<f64, ExchangeError> {
    let back = StructuresModel::open(folder)?;
    let exact = model.clone().cast(FloatDType::F64);
    let figure = reference::largest_difference(&exact, &back)
        .map_err(|error| ExchangeError::unsuitable(out, error.to_string()))?;
    if figure <= BOUND {
        return Ok(figure);
    }
    Err(ExchangeError::PredictionsDiffer {
        path: out.to_path_buf(),
        figure,
        bound: BOUND,
        because: BOUND_BECAUSE,
    })
}

fn files(
    exported: &Exported,
    out: &Path,
) -> Result<BTreeMap<&'static str, Vec<u8>>, ExchangeError> {
    let mut config = serde_json::to_vec_pretty(&exported.config)
        .map_err(|error| ExchangeError::unsuitable(out, error.to_string()))?;
    config.push(b'\n');
    let parameters = exported.parameters.iter().map(|(name, tensor)| {
        let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name.as_str(), StoredTensor { dtype: Dtype::F64, shape: tensor.shape.clone(), bytes })
    });
    let buffers = exported.buffers.iter().map(|(name, buffer)| (name.as_str(), stored(buffer)));
    let tensors: BTreeMap<&str, StoredTensor> = parameters.chain(buffers).collect();
    let weights = serialise_safetensors(tensors.iter().map(|(name, tensor)| (*name, tensor)));
    Ok([(CONFIG, config), (WEIGHTS, weights), (LOADER, LOADER_TEXT.as_bytes().to_vec())].into())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and small")]
fn stored(buffer: &Buffer) -> StoredTensor {
    let each = |write: fn(f64) -> Vec<u8>| buffer.values.iter().flat_map(|&it| write(it)).collect();
    let (dtype, bytes) = match buffer.kind {
        BufferType::Float => (Dtype::F64, each(|value| value.to_le_bytes().to_vec())),
        BufferType::I64 => (Dtype::I64, each(|value| (value as i64).to_le_bytes().to_vec())),
        BufferType::I32 => (Dtype::I32, each(|value| (value as i32).to_le_bytes().to_vec())),
        BufferType::Bool => (Dtype::BOOL, each(|value| vec![value as u8])),
    };
    StoredTensor { dtype, shape: buffer.shape.clone(), bytes }
}
