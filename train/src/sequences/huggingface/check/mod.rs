//! Compares an imported model with reference outputs of another program: logits, loss, every
//! gradient, and a curve of AdamW steps.
//!
//! Reading order: [`oracle`] (the file and the packed batch made of it), [`compare`] (the figures).

pub mod compare;
pub mod oracle;

pub use compare::{CheckReport, check, check_model};
pub use oracle::Oracle;
