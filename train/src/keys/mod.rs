//! Run files: read, override, check, resolve. Nothing below sees the file or the environment.
//!
//! Reading order: [`run`] and [`data`] (what may be written), [`mod@load`] (file to [`RunConfig`]),
//! [`mod@resolve`] (with the dataset to an immutable [`RunPlan`]), [`mod@estimate`] (what it will cost).

pub mod atoms;
pub mod data;
pub mod estimate;
pub mod load;
pub mod precision;
pub mod problem;
pub mod resolve;
pub mod run;

mod check;
mod environment;
mod path;
#[cfg(test)]
mod plan_tests;
mod repair;
mod source;
mod structure;
#[cfg(test)]
mod tests;

pub use atoms::{
    AtomsBatch, AtomsConfig, AtomsData, AtomsDtype, AtomsEvaluation, AtomsModel, AtomsObjective,
    AtomsPlan, AtomsPrecision, AtomsReport, MaceModel, StageTwoConfig, resolve_atoms,
    save_atoms_plan,
};
pub use data::{DATASET_FOLDER, DataConfig};
pub use estimate::{Estimate, estimate};
pub use load::{AnyConfig, Root, load, load_any, load_any_text, load_text, to_text};
pub use precision::{Compute, PrecisionConfig};
pub use problem::{ConfigProblem, ConfigProblems, Origin};
pub use resolve::{RunPlan, resolve, resolve_card, save_plan};
pub use run::{
    AverageConfig, BatchConfig, CheckpointConfig, DecayConfig, EvaluationConfig, ObjectiveConfig,
    OptimizerConfig, ReportConfig, RunConfig, RunTable, SampleConfig, ScheduleConfig,
};
