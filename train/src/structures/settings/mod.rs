//! Run files of models of atoms: `[model] kind = "mace"` selects them.
//!
//! Tables about the run itself are those of every run; data, model, objective, batch and precision
//! are the family's own. Reading order: here (the file), [`model`] (the network), `check` (ranges).

pub mod model;

mod check;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use genesis_data::dataset::corpus::ONLY_SOURCE;
use genesis_data::structures::GenerateStructures;
use genesis_data::structures::StructuresIngest;
use genesis_data::structures::ingest::ValidationChoice;
use genesis_model::equivariant::{LossConfig, Penalty};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::keys::{
    AverageConfig, CheckpointConfig, ConfigProblem, FaultsConfig, MixtureChange, MixtureKeys,
    MixtureSource, OptimizerConfig, ParallelConfig, Root, RunTable, ScheduleConfig,
};
use crate::trainer::DATASET_FOLDER;
pub use model::{MaceModel, StructuresNetwork};

/// A whole run file of a model of atoms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StructuresConfig {
    /// Where the run lives and what makes it repeatable.
    pub run: RunTable,
    /// What it learns from.
    pub data: StructuresData,
    /// The network.
    pub model: StructuresNetwork,
    /// What is lowered.
    pub objective: StructuresObjective,
    /// How much data enters one optimizer step.
    pub batch: StructuresBatch,
    /// How gradients become updates.
    #[serde(default = "OptimizerConfig::amsgrad")]
    pub optimizer: OptimizerConfig,
    /// Learning rate over steps, and how many steps there are.
    pub schedule: ScheduleConfig,
    /// Another loss and rate from a step on; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_two: Option<StageTwoConfig>,
    /// Running average of the parameters; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<AverageConfig>,
    /// Arithmetic.
    #[serde(default)]
    pub precision: StructuresPrecision,
    /// When the validation errors are measured.
    #[serde(default)]
    pub evaluation: StructuresEvaluation,
    /// When checkpoints are written and which are kept.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// What becomes of a step whose loss or gradients are not finite.
    #[serde(default)]
    pub faults: FaultsConfig,
    /// How ranks train together.
    #[serde(default)]
    pub parallel: ParallelConfig,
    /// What is written besides.
    #[serde(default)]
    pub report: StructuresReport,
}

/// `[data]`: exactly one of the first four keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "where the data lie; their digest must be the same, and weights of steps that are done"))]
pub struct StructuresData {
    /// A dataset folder made by `genesis ingest`. `${NAME}` is expanded from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<PathBuf>,
    /// Raw files, ingested into `<run.dir>/dataset` on first use; the options of an ingest of
    /// structures. `${NAME}` is expanded in its paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<StructuresIngest>,
    /// Structures the program makes itself, written to `<run.dir>/dataset` on first use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GenerateStructures>,
    /// Several datasets by name, learned from in the ratio of their weights. A name is what the shuffling of its
    /// dataset is seeded by; that of a run with one dataset is `dataset`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mixture: BTreeMap<String, MixtureSource>,
    /// What the weights of `mixture` count.
    #[serde(default, skip_serializing_if = "StructuresWeighting::is_samples")]
    pub weighting: StructuresWeighting,
    /// Other weights of `mixture` from steps on. One that begins where the run has not been yet may be added on
    /// resuming, and with it datasets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<MixtureChange>,
    /// Datasets of `mixture` whose validation split is measured; absent means those with a weight from the first
    /// step on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<String>,
}

/// What the weights of a mixture count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StructuresWeighting {
    /// Samples.
    #[default]
    Samples,
    /// Atoms: structures are weighed by one over the mean number of their atoms, which their card says.
    Atoms,
}

impl StructuresWeighting {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_samples(&self) -> bool {
        *self == Self::Samples
    }
}

impl StructuresData {
    /// Where the datasets of a run in `run_dir` lie, or will lie, by name.
    pub fn folders(&self, run_dir: &Path) -> Vec<(String, PathBuf)> {
        if self.mixture.is_empty() {
            return vec![(ONLY_SOURCE.to_owned(), self.folder(run_dir))];
        }
        self.mixture.iter().map(|(name, it)| (name.clone(), it.dataset.clone())).collect()
    }

    /// What it says of several datasets.
    pub(crate) fn keys(&self) -> MixtureKeys<'_> {
        let Self { mixture: sources, change: changes, validation, .. } = self;
        MixtureKeys { sources, changes, validation }
    }

    /// Where the only dataset of a run in `run_dir` lies, or will lie.
    pub fn folder(&self, run_dir: &Path) -> PathBuf {
        self.dataset.clone().unwrap_or_else(|| run_dir.join(DATASET_FOLDER))
    }

    /// How the dataset is made; `None` if it is there already.
    pub fn ingest_plan(&self, run_dir: &Path) -> Option<StructuresIngest> {
        let output = self.folder(run_dir);
        match (&self.source, &self.generate) {
            (Some(source), _) => Some(StructuresIngest { output, ..source.clone() }),
            (None, Some(generate)) => Some(StructuresIngest {
                validation: a_tenth_of(generate),
                ..StructuresIngest::of_generated(generate.clone(), output)
            }),
            (None, None) => None,
        }
    }
}

/// `[objective]`: weighted errors of energies per atom, forces and stress.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StructuresObjective {
    /// What an error costs: its square, or less than that when it is large.
    #[serde(default = "squares")]
    pub loss: Penalty,
    /// Weight of energies per atom, eV.
    pub energy_weight: f64,
    /// Weight of force components, eV/Å.
    pub forces_weight: f64,
    /// Weight of stress components, eV/Å^3; 0 when stress is not learned.
    #[serde(default)]
    pub stress_weight: f64,
}

impl StructuresObjective {
    /// The loss as the model computes it.
    pub fn loss(&self) -> LossConfig {
        LossConfig {
            penalty: self.loss,
            energy_weight: self.energy_weight,
            forces_weight: self.forces_weight,
            stress_weight: self.stress_weight,
        }
    }
}

/// `[stage_two]`: the last part of a run, with energies weighing more and a small, constant rate.
/// The best checkpoint is looked for anew, because losses of different weights do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageTwoConfig {
    /// Steps done before it starts.
    pub start_step: u64,
    /// Its learning rate.
    #[schemars(extend("x-may-change-on-resume" = "as long as it has not been used"))]
    pub rate: f64,
    /// Weight of energies per atom from then on.
    pub energy_weight: f64,
    /// Weight of force components from then on.
    pub forces_weight: f64,
    /// Weight of stress components from then on.
    #[serde(default)]
    pub stress_weight: f64,
}

/// `[batch]`: data of one optimizer step, over all ranks. The budgets bound memory alone: a step
/// that exceeds them is split into slices whose gradients are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StructuresBatch {
    /// Structures per optimizer step.
    pub frames: usize,
    /// Atoms of one slice at most.
    #[serde(default = "max_atoms")]
    #[schemars(extend("x-may-change-on-resume" = "the same structures, sums in another order"))]
    pub max_atoms: usize,
    /// Directed edges of one slice at most.
    #[serde(default = "max_edges")]
    #[schemars(extend("x-may-change-on-resume" = "the same structures, sums in another order"))]
    pub max_edges: usize,
}

/// `[precision]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StructuresPrecision {
    /// Type of weights, activations, gradients and moments. Energies of isolated atoms are added
    /// in 64 bits always.
    #[serde(default)]
    pub dtype: StructuresDtype,
}

/// Floating-point types of models of atoms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StructuresDtype {
    /// 32 bits: for speed.
    #[default]
    F32,
    /// 64 bits: for exactness.
    F64,
}

/// `[evaluation]`. The last step is always evaluated, on the whole validation split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "what is measured, not the interval that a plateau listens to"))]
pub struct StructuresEvaluation {
    /// Steps between evaluations; absent means only after the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
}

/// `[report]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "what is shown"))]
pub struct StructuresReport {
    /// Whether TensorBoard event files are written.
    #[serde(default = "yes")]
    pub tensorboard: bool,
    /// Whether every sample that is delivered is recorded, in `audit/`, for `genesis audit`.
    #[serde(default, skip_serializing_if = "is_off")]
    pub audit: bool,
}

impl Default for StructuresReport {
    fn default() -> Self {
        Self { tensorboard: true, audit: false }
    }
}

impl Root for StructuresConfig {
    const PATHS: &'static [&'static str] = &[
        "run.dir",
        "run.from",
        "data.dataset",
        "data.mixture",
        "data.source.inputs",
        "data.source.test",
        "data.source.validation.paths",
    ];

    fn run(&self) -> &RunTable {
        &self.run
    }

    fn run_mut(&mut self) -> &mut RunTable {
        &mut self.run
    }

    fn parallel(&self) -> &ParallelConfig {
        &self.parallel
    }

    fn problems(&self) -> Vec<ConfigProblem> {
        check::check(self)
    }
}

/// A tenth of generated structures, at least one, is held out.
fn a_tenth_of(generate: &GenerateStructures) -> ValidationChoice {
    let GenerateStructures::Silicon { frames, seed } = *generate;
    ValidationChoice::Count { frames: (frames / 10).max(1), seed }
}

fn squares() -> Penalty {
    Penalty::Weighted {}
}

/// Some 40 molecules, or two cells of a thousand atoms.
fn max_atoms() -> usize {
    2_000
}

/// About 1.5 GB of a network of 128 channels in f32.
fn max_edges() -> usize {
    50_000
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_off(switch: &bool) -> bool {
    !switch
}
