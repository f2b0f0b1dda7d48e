//! Normalisation of each token's features.
//!
//! ```text
//! maths     rms_norm    y = w x r,            r = 1 / sqrt(mean(x^2) + eps)
//!           layer_norm  y = w (x - m) r + b,  m = mean(x), r = 1 / sqrt(mean((x - m)^2) + eps)
//!           with h = normalised x and t = w g:
//!           rms_norm    dx = r (t - h mean(t h)),            dw = sum_n g h
//!           layer_norm  dx = r (t - mean(t) - h mean(t h)),  dw = sum_n g h, db = sum_n g
//! layout    x, y, g [N, C]; w, b [C]; means run over C
//! dtypes    f32 or f64, everything in the dtype of x
//! ordering  deterministic; nothing but the inputs is saved for the backward
//! source    Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467;
//!           Ba, Kiros and Hinton, "Layer Normalization", arXiv:1607.06450
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

pub(crate) use op::{layer_norm_tracked, rms_norm_tracked};
