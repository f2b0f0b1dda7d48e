//! Layers that networks share. Each takes what it needs: parameters under a module's name, sizes, a
//! precision.
//!
//! Letters as in [`crate::transformer`]. Not here: what a network's configuration means for its
//! layers, which the network says where it binds them.

pub(crate) mod attention;
pub(crate) mod exit;
pub(crate) mod feed_forward;
pub(crate) mod linear;
pub(crate) mod mode;
pub(crate) mod norm;
pub(crate) mod rotary;

pub use mode::Mode;
pub use rotary::{Rotary, RotaryScaling};
