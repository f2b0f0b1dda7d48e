//! Reads a folder of mace-torch.

use std::collections::BTreeMap;
use std::path::Path;

use genesis_data::dataset::card::sha256_of_bytes;
use genesis_model::equivariant::Blueprint;
use genesis_model::equivariant::mace_torch::{self, HostTensor, config_from_json};

use crate::exchange::CONFIG;
use crate::exchange::ModelSource;
use crate::exchange::error::ExchangeError;
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::{WEIGHTS, parse_safetensors};

/// A model of a folder.
#[derive(Debug, Clone)]
pub struct ForeignMace {
    /// The network.
    pub blueprint: Blueprint,
    /// Values of every parameter by name.
    pub parameters: BTreeMap<String, Vec<f64>>,
    /// Where it came from.
    pub source: ModelSource,
}

impl ForeignMace {
    /// Reads `folder`: every parameter is taken, every buffer compared with what `config.json`
    /// gives.
    ///
    /// # Errors
    /// [`ExchangeError`] naming file and key or tensor.
    pub fn read(folder: &Path) -> Result<Self, ExchangeError> {
        let (config_path, weights_path) = (folder.join(CONFIG), folder.join(WEIGHTS));
        let read = |path: &Path| std::fs::read(path).map_err(ExchangeError::io(path, "read"));
        let (config_bytes, weight_bytes) = (read(&config_path)?, read(&weights_path)?);
        let fix = "export the hyper-parameters again, or train such a model here";
        let malformed = |problem: String| ExchangeError::malformed(&config_path, problem, fix);
        let json = serde_json::from_slice(&config_bytes)
            .map_err(|error| malformed(format!("not JSON: {error}")))?;
        let config = config_from_json(&json).map_err(|problems| malformed(problems.to_string()))?;
        let tensors = tensors(&weights_path, &weight_bytes)?;
        let imported = mace_torch::import(&config, &tensors)
            .map_err(|error| ExchangeError::unsuitable(&weights_path, error.to_string()))?;
        let digests = [sha256_of_bytes(&config_bytes), sha256_of_bytes(&weight_bytes)].concat();
        Ok(Self {
            blueprint: imported.blueprint,
            parameters: imported.parameters,
            source: ModelSource {
                kind: super::MACE,
                path: folder.to_path_buf(),
                digest: sha256_of_bytes(digests.as_bytes()),
                step: None,
                notes: Vec::new(),
            },
        })
    }
}

/// Every tensor of the file as f64; one that is not finite is refused by name.
fn tensors(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, HostTensor>, ExchangeError> {
    let stored = parse_safetensors(bytes, path)?;
    let host = |(name, tensor): (String, StoredTensor)| {
        let values = values(path, &name, &tensor)?;
        Ok((name, HostTensor { shape: tensor.shape, values }))
    };
    stored.into_iter().map(host).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the value is only shown")]
fn values(path: &Path, name: &str, tensor: &StoredTensor) -> Result<Vec<f64>, ExchangeError> {
    let integers = || tensor.as_i64().map(|all| all.into_iter().map(|it| it as f64).collect());
    let values: Option<Vec<f64>> = tensor.as_f64().or_else(integers);
    let values = values.ok_or_else(|| ExchangeError::Dtype {
        file: path.to_path_buf(),
        tensor: name.to_owned(),
        dtype: tensor.dtype.to_string(),
    })?;
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(index) => Err(ExchangeError::NotFinite {
            file: path.to_path_buf(),
            tensor: name.to_owned(),
            index,
            value: values[index] as f32,
        }),
    }
}
