//! What a run on atoms does beside the loop: statistics, errors by kind of structure, predictions,
//! molecular dynamics.
//!
//! Reading order: [`statistics`] (what a network takes from its data), `task` (steps and
//! evaluations), [`errors`] and [`parity`] (how good it is), [`evaluation`] (the table at the end),
//! [`model`] (a trained network), [`predict`](mod@predict) and [`md`] (what it is for),
//! [`output`] (files of structures).

pub mod error;
pub mod errors;
pub mod evaluation;
pub mod md;
pub mod measure;
pub mod model;
pub mod output;
pub mod parity;
pub mod predict;
pub mod statistics;
mod task;

pub use error::AtomsError;
pub use errors::{ErrorRow, ErrorTable};
pub use evaluation::{EVALUATION_FILE, EvaluationReport, evaluate_run};
pub use model::AtomsModelFile;
pub(crate) use model::is_of_atoms;
pub use predict::{PredictOptions, PredictReport, predict_file};
pub use task::train_atoms;
