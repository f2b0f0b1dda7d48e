//! Exchange with other programs: Hugging Face folders, and checks against reference outputs.
//!
//! Reading order: [`huggingface`] (export and import), [`mod@check`] (comparison with an oracle),
//! [`mace`] (the same for networks of atoms).
//! Below them: [`tensor`] and [`weights`] (safetensors as stored), [`staging`] (folders that appear
//! complete or not at all).

pub mod check;
pub mod error;
pub mod huggingface;
pub mod mace;
pub mod staging;
pub mod tensor;
pub mod weights;

pub use check::{CheckReport, check};
pub use error::{ExchangeError, TensorProblem};
