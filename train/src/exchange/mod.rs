//! Folders of models, ours and those of other programs, whatever the family.
//!
//! Reading order: [`source`] (where a model came from, which checkpoint is meant), [`tensor`] and
//! [`weights`] (safetensors as stored), [`staging`] (folders that appear complete or not at all).
//! Not here: what one ecosystem's folder means, which stands in the wing that trades with it.

pub mod error;
pub mod source;
pub mod staging;
pub mod tensor;
pub mod weights;

pub use error::{ExchangeError, TensorProblem};
pub use source::{CHECKPOINT, ModelSource, choose, family_of, holds_checkpoint};

/// The description of the network in folders of other programs.
pub const CONFIG: &str = "config.json";
/// What an export says of itself; proof that the folder is ours and may be replaced.
pub const REPORT: &str = "export.json";
