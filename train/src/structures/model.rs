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

use super::Structures;
use super::error::StructuresError;
use super::mace_torch::{self, ForeignMace};
use super::reading::Reading;
use crate::checkpoint::format::MANIFEST_FILE;
use crate::checkpoint::host::tensor_of;
use crate::checkpoint::{Checkpoint, Values};
use crate::exchange::{ExchangeError, ModelSource, choose, holds_checkpoint};
use crate::family::Family;

/// A network of atoms, ready to predict, on the CPU unless it was moved.
#[derive(Debug, Clone)]
pub struct StructuresModel<B: Kernels = Cpu> {
    /// What it is.
    pub blueprint: Blueprint,
    /// Its parameters, in the type they were trained in.
    pub params: Params<B>,
    /// Where it came from.
    pub source: ModelSource,
    /// How the data of its run were read.
    pub reading: Reading,
}

impl StructuresModel {
    /// Opens `path`: a run folder, a checkpoint folder, or a folder of mace-torch.
    ///
    /// # Errors
    /// [`ExchangeError`] naming the file and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, ExchangeError> {
        if holds_checkpoint(path) {
            let (checkpoint, notes) = choose(path)?;
            return Self::from_checkpoint(&checkpoint, notes);
        }
        if mace_torch::is_mace_folder(path) {
            return Ok(Self::from_foreign(ForeignMace::read(path)?));
        }
        let because = "it has neither a `checkpoints` folder nor COMMITTED nor the config.json of \
                       a MACE"
            .to_owned();
        Err(ExchangeError::NotAModel { path: path.to_path_buf(), because })
    }

    fn from_checkpoint(checkpoint: &Checkpoint, notes: Vec<String>) -> Result<Self, ExchangeError> {
        checkpoint.expect_family(Structures::NAME)?;
        let path = &checkpoint.path;
        let manifest = path.join(MANIFEST_FILE);
        let fix = "the checkpoint was written by another version of genesis, or edited";
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
        Ok(Self {
            params: Params::from_values(specs, values.collect()),
            blueprint,
            source: ModelSource::of_checkpoint(checkpoint, notes)?,
            reading: Reading::of_run(&description.config),
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
            reading: Reading::default(),
        }
    }
}

impl<B: Kernels> StructuresModel<B> {
    /// The same network on another device.
    #[must_use]
    pub fn on<To: Kernels>(self, device: &To::Device) -> StructuresModel<To> {
        let Self { blueprint, params, source, reading } = self;
        StructuresModel { params: params.on(device), blueprint, source, reading }
    }

    /// Predicts a batch.
    ///
    /// # Errors
    /// [`StructuresError::Graph`] if the batch does not fit the network.
    pub fn predict(
        &self,
        batch: &GraphBatch,
        wanted: Wanted,
    ) -> Result<Prediction, StructuresError> {
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
