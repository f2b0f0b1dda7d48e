//! Models of structures of atoms: equivariant networks on graphs.
//!
//! Reading order: [`settings`] (the run file), [`plan`] (with the dataset), [`statistics`] (what a
//! network takes from its data), `task` (steps and evaluations), [`errors`] and
//! [`parity`] (how good it is), [`evaluation`] (the table at the end),
//! [`figures`] (what the report shows), [`model`] (a trained network),
//! [`predict`](mod@predict) and [`md`] (what it is for), [`reading`] and [`output`] (files of structures),
//! [`mace_torch`] (folders of that program).

pub mod error;
pub mod errors;
pub mod evaluation;
mod family;
pub mod figures;
pub mod mace_torch;
pub mod md;
pub mod measure;
pub mod model;
pub mod output;
pub mod parity;
pub mod plan;
pub mod predict;
pub mod reading;
mod sample;
pub mod settings;
mod sources;
pub mod statistics;
mod task;

pub use error::StructuresError;
pub use errors::{ErrorRow, ErrorTable};
pub use evaluation::{EVALUATION_FILE, EvaluationReport, evaluate_run};
pub use family::Structures;
pub use model::StructuresModel;
pub use plan::{StructuresPlan, resolve_structures};
pub use predict::{PredictOptions, PredictReport, measure_files, predict_file};
pub use reading::{Reading, parse_units};
pub use settings::StructuresConfig;
