//! A trained network of atoms, from a run folder, a checkpoint or a mace-torch folder.
//!
//! A run folder means its best checkpoint of the newest stage, else its newest valid one.

use std::path::Path;

use burn::backend::flex::FlexDevice;
use burn::tensor::FloatDType;
use genesis_kernels::{Cpu, Kernels};
use genesis_model::Params;
use genesis_model::equivariant::{Blueprint, MaceConfig, Prediction, Wanted, predict};
use genesis_schema::GraphBatch;

use super::error::AtomsError;
use crate::checkpoint::format::{COMMITTED_FILE, MANIFEST_FILE, sha256};
use crate::checkpoint::{Checkpoint, Values};
use crate::export::error::ExchangeError;
use crate::export::mace::{self, ForeignMace};
use crate::host::tensor_of;
use crate::inference::load::find;
use crate::inference::{ModelSource, SourceKind};

/// A network of atoms, ready to predict, on the CPU unless it was moved.
#[derive(Debug, Clone)]
pub struct AtomsModelFile<B: Kernels = Cpu> {
    /// What it is.
    pub blueprint: Blueprint,
    /// Its parameters, in the type they were trained in.
    pub params: Params<B>,
    /// Where it came from.
    pub source: ModelSource,
}

impl AtomsModelFile {
    /// Opens `path`: a run folder, a checkpoint folder, or a folder of mace-torch.
    ///
    /// # Errors
    /// [`ExchangeError`] naming the file and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, ExchangeError> {
        let names = [COMMITTED_FILE, MANIFEST_FILE, "checkpoints"];
        if names.iter().any(|name| path.join(name).exists()) {
            let (checkpoint, notes) = find(path)?;
            return Self::from_checkpoint(&checkpoint, notes);
        }
        if mace::is_mace_folder(path) {
            return Ok(Self::from_foreign(ForeignMace::read(path)?));
        }
        let because = "it has neither a `checkpoints` folder nor COMMITTED nor the config.json of \
                       a MACE"
            .to_owned();
        Err(ExchangeError::NotAModel { path: path.to_path_buf(), because })
    }

    /// Whether `path` holds a network of atoms, as far as its description tells.
    pub fn is_at(path: &Path) -> bool {
        if mace::is_mace_folder(path) {
            return true;
        }
        find(path).is_ok_and(|(checkpoint, _)| is_of_atoms(&checkpoint))
    }

    fn from_checkpoint(checkpoint: &Checkpoint, notes: Vec<String>) -> Result<Self, ExchangeError> {
        let path = &checkpoint.path;
        let manifest = path.join(MANIFEST_FILE);
        let fix = "the checkpoint is of a model of sequences, of another version, or edited";
        let malformed = |problem: String| {
            ExchangeError::malformed(&manifest, format!("`model`: {problem}"), fix)
        };
        let description = &checkpoint.manifest.description;
        let config: MaceConfig = serde_json::from_value(description.model.clone())
            .map_err(|error| malformed(error.to_string()))?;
        let blueprint = Blueprint::new(config).map_err(|error| malformed(error.to_string()))?;
        let specs = blueprint.specs().clone();
        let wanted: Vec<_> =
            specs.iter().map(|spec| (spec.name.clone(), spec.shape.clone())).collect();
        let tensors = crate::checkpoint::tensors::arrange(path, checkpoint.model()?, &wanted)?;
        let double = tensors.iter().any(|tensor| matches!(tensor.values, Values::F64(_)));
        let dtype = if double { FloatDType::F64 } else { FloatDType::F32 };
        let values = tensors.into_iter().map(|it| tensor_of(it.values, dtype, &FlexDevice));
        let bytes = std::fs::read(&manifest).map_err(ExchangeError::io(&manifest, "read"))?;
        Ok(Self {
            params: Params::from_values(specs, values.collect()),
            blueprint,
            source: ModelSource {
                kind: SourceKind::Checkpoint,
                path: path.clone(),
                digest: sha256(&bytes),
                step: Some(description.step),
                notes,
            },
        })
    }

    fn from_foreign(foreign: ForeignMace) -> Self {
        let specs = foreign.blueprint.specs().clone();
        let tensor = |values: Vec<f64>| tensor_of(values.into(), FloatDType::F64, &FlexDevice);
        let mut parameters = foreign.parameters;
        let values = specs.iter().map(|spec| {
            tensor(parameters.remove(&spec.name).expect("an import has every parameter"))
        });
        Self {
            params: Params::from_values(specs.clone(), values.collect()),
            blueprint: foreign.blueprint,
            source: foreign.source,
        }
    }
}

impl<B: Kernels> AtomsModelFile<B> {
    /// The same network on another device.
    #[must_use]
    pub fn on<To: Kernels>(self, device: &To::Device) -> AtomsModelFile<To> {
        let Self { blueprint, params, source } = self;
        AtomsModelFile { params: params.on(device), blueprint, source }
    }

    /// Predicts a batch.
    ///
    /// # Errors
    /// [`AtomsError::Graph`] if the batch does not fit the network.
    pub fn predict(&self, batch: &GraphBatch, wanted: Wanted) -> Result<Prediction, AtomsError> {
        Ok(predict(&self.blueprint, &self.params, batch, wanted)?)
    }

    /// The same network in another floating-point type.
    #[must_use]
    pub fn cast(self, dtype: FloatDType) -> Self {
        Self { params: self.params.cast(dtype), ..self }
    }

    /// Atoms closer than this are neighbours, Å.
    pub fn cutoff(&self) -> f64 {
        self.blueprint.config().r_max_angstrom
    }
}

/// Whether a checkpoint is of a network of atoms.
pub(crate) fn is_of_atoms(checkpoint: &Checkpoint) -> bool {
    checkpoint.manifest.description.tokenizer_kind == crate::config::atoms::plan::NO_TOKENIZER
}
