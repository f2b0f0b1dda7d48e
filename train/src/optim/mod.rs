//! From gradients to updates: [`mod@clip`] (global norm), [`adamw`] (moments and the step).
//!
//! State is one flat tensor per parameter and moment, in the order of the parameter specs, so
//! that checkpoints and collectives see plain buffers. Not here: the learning rate (`schedule`).

pub mod adamw;
pub mod clip;

pub use adamw::{Adamw, AdamwSettings, OptimizerStateError};
pub use clip::{GradientNorm, clip};
