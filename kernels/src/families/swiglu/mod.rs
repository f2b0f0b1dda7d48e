//! Gated feed-forward activation.
//!
//! ```text
//! maths     y = silu(gate) up,  silu(a) = a s(a),  s = logistic function
//!           dgate = g up s (1 + a (1 - s)),  dup = g silu(a)
//! layout    gate, up, y, g [N, F]
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202, eq. (6)
//! ```

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
