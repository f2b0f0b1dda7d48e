//! What a sample is, and where every random number comes from. No I/O, no tensors, no GPU.
//!
//! Reading order: [`seed`] (named random streams), [`tokens`] (packed batches of sequences),
//! [`atoms`] (structures and packed batches of their graphs), [`sample`] (which samples a batch holds), [`elements`] (their symbols and masses).

pub mod atoms;
pub mod elements;
pub mod sample;
pub mod seed;
pub mod tokens;

pub use atoms::{Edges, Frame, FrameLabels, FrameWeights, GraphBatch};
pub use sample::Sample;
pub use seed::{Seeds, Stream};
pub use tokens::{IGNORE, TokenBatch};
