//! Networks on one device: parameters, forward, loss. No files, no process groups, no optimizer.
//!
//! Reading order: [`params`] (named flat tensors), then [`transformer`] (GPT-2, Llama and ESM-2 as
//! one module) or [`equivariant`] (MACE, a network of atoms).

pub mod equivariant;
pub mod params;
pub mod transformer;

pub use params::{HostFloat, Init, ParamSpec, Params, ParamsError};
pub use transformer::{
    ConfigProblems, KvCache, Mode, ModelConfig, ModelError, Packed, Transformer, TransformerConfig,
    flops_per_token, hugging_face, specs,
};
