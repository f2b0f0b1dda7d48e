//! Networks on one device: parameters, forward, loss. No files, no process groups, no optimizer.
//!
//! Reading order: [`params`] (named flat tensors), `layers` (what networks share), then
//! [`transformer`] (GPT-2, Llama and ESM-2 as one module) or [`equivariant`] (MACE, a network of atoms).

mod config_problems;
pub mod equivariant;
mod layers;
pub mod params;
pub mod transformer;

pub use config_problems::ConfigProblems;
pub use params::{HostFloat, Init, ParamSpec, Params, ParamsError};
pub use transformer::{
    KvCache, Mode, ModelConfig, ModelError, Packed, Transformer, TransformerConfig,
    flops_per_token, hugging_face, specs,
};
