//! From gradients to updates: [`mod@clip`] (global norm), [`optimizer`] (the rule and its state),
//! [`average`] (the running average of the parameters).
//!
//! State is one flat tensor per buffer and piece of a parameter that a rank holds, so that
//! checkpoints and collectives see plain buffers. Not here: the learning rate (`schedule`).

pub mod average;
pub mod clip;
pub mod optimizer;

pub use average::Average;
pub use clip::{GradientNorm, clip_scale};
pub use optimizer::{AdamSettings, Optimizer, Rule};
