//! SiLU with two derivatives, as networks need whose loss contains derivatives.
//!
//! ```text
//! maths     y = x s(x), s the logistic function; y'(x) = s (1 + x (1 - s))
//!           slope   y'(x) a, the change along a, and with a = g the gradient of x
//!           bend    y''(x) a b = s (1 - s) (2 + x (1 - 2 s)) a b, symmetric in a and b
//! layout    any rows, [N, C], all operands alike
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Elfwing et al., arXiv:1702.03118, section 2
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

pub(crate) use op::{slope_tracked, tracked};
