//! What a sample is, and where every random number comes from. No I/O, no tensors, no GPU.
//!
//! Reading order: [`seed`] (named random streams), [`tokens`] (packed batches of sequences).

pub mod seed;
pub mod tokens;

pub use seed::{Seeds, Stream};
pub use tokens::{IGNORE, TokenBatch};
