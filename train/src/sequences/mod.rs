//! Models of sequences: transformers on packed tokens.
//!
//! Reading order: [`settings`] (the run file), [`plan`] (with the dataset), [`mod@estimate`] (what it
//! costs), `task` and [`step`] (what the loop learns), [`evaluation`] (how good it is),
//! [`figures`] (what the report shows),
//! [`inference`] (what it is for), [`huggingface`] (folders of transformers).

pub mod estimate;
pub mod evaluation;
pub mod figures;
pub mod huggingface;
pub mod identity;
pub mod inference;
pub mod plan;
pub mod settings;
pub mod step;

mod family;
#[cfg(test)]
mod gate_tests;
mod packing;
#[cfg(test)]
mod plan_tests;
mod sample;
mod sources;
mod task;

pub use estimate::{Estimate, FLOAT_BYTES, activations_bytes, estimate};
pub use evaluation::{Evaluation, evaluate};
pub use family::Sequences;
pub use inference::SequencesModel;
pub use plan::{SequencesPlan, resolve, resolve_card};
pub use settings::SequencesConfig;
pub use sources::training_split;
pub use task::documents;
