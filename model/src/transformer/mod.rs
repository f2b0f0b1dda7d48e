//! One transformer that is GPT-2, Llama or ESM-2, depending on its [`TransformerConfig`].
//!
//! Every batch is packed: `N` tokens of `S` segments laid end to end, and attention never leaves
//! a segment. Letters: `N` tokens, `S` segments, `H` query heads, `G` key heads, `D` head width,
//! `C` model width, `F` feed-forward width, `V` vocabulary, `T` context.
//!
//! Reading order: [`settings`] (what a user writes) resolves to [`config`] (what the code reads);
//! [`specs()`] lists the parameters; [`packed`] is the input; `binding` says which form of the shared
//! layers a network has; of those are `embedding`, `block` and `head`; [`model`] puts them together;
//! [`decode`] generates, with a `cache`. [`hugging_face`] translates configs and names of files.
//!
//! Not here: dropout of attention probabilities (the fused attention has none), activation
//! checkpointing, contact prediction.

mod binding;
mod block;
mod cache;
pub mod config;
pub mod decode;
mod embedding;
pub mod flops;
mod head;
pub mod hugging_face;
pub mod model;
pub mod packed;
pub mod settings;
pub mod specs;

pub use cache::KvCache;
pub use config::{Activation, Family, TransformerConfig};
pub use flops::{FlopsPerToken, flops_per_token};
pub use model::Transformer;
pub use packed::{ModelError, Packed};
pub use settings::{Esm2Config, Gpt2Config, LlamaConfig, ModelConfig};
pub use specs::specs;

pub use crate::layers::{Mode, Rotary, RotaryScaling};
