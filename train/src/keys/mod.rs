//! Keys of run files: read, override, check. Nothing above sees a file or the environment.
//!
//! Reading order: [`tables`], `parallel`, `faults` and `mixture` (what every family has), [`mod@load`] (a file to a checked [`Root`]),
//! `source` and `path` (text to a tree that knows its lines), `repair` (every problem of it at once),
//! [`problem`] (what the user reads), `check` (ranges), `schema` and `page` (every key as a page). Not here: what a family adds, which stands in
//! its settings.

pub mod load;
pub mod problem;
pub mod tables;

mod check;
mod environment;
mod faults;
mod leaves;
mod mixture;
mod page;
mod parallel;
mod path;
mod repair;
mod schema;
mod source;
mod structure;

pub(crate) use check::{Found, OfEveryRun};
pub use faults::{FaultsConfig, OnNonFinite, OnSpike};
pub(crate) use leaves::leaves;
pub use load::{Lookup, PLAN_FILE, Root, RunFile, environment, remembered_start, to_text};
pub(crate) use mixture::MixtureKeys;
pub use mixture::{MixtureChange, MixtureSource};
pub use page::page;
pub use parallel::{EngineChoice, LimitsConfig, ParallelConfig};
pub use problem::{ConfigProblem, ConfigProblems, Origin, nearest};
pub(crate) use schema::may_change;
pub use source::table_of;
pub use tables::{
    AverageConfig, CheckpointConfig, DecayConfig, OptimizerConfig, RunTable, ScheduleConfig,
};
