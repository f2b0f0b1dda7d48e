//! Rotary position embedding: pairs of features of every head turn by an angle per position.
//!
//! ```text
//! maths     x = (x1, x2), halves of D/2:  y1 = x1 cos - x2 sin,  y2 = x2 cos + x1 sin
//!           the backward is the inverse rotation: the same with -sin
//! layout    x, y [N, H, D]; cos, sin [N, D/2], one row per token, shared by all heads
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Su et al., "RoFormer", arXiv:2104.09864, in the half-split order of Llama and ESM-2
//! ```
//!
//! The tables are constants: no gradient flows to `cos` and `sin`.

#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

pub(crate) use op::tracked;
