//! Rows of values whose dependence on one number per row is known by its slope.
//!
//! ```text
//! maths     follow      y[p, :] = v[p, :]; as a function of x[p] its derivative is d[p, :]
//!           dot_rows    y[p] = sum_k a[p, k] b[p, k]
//!           scale_rows  y[p, k] = s[p] a[p, k]
//!           half        values or slopes of a curve [2, P, K]; from_half puts zeros beside one
//! gradients follow: dx = dot_rows(g, d), dv = g; of d none, as y does not contain it.
//!           dot_rows: da = scale_rows(g, b), db = scale_rows(g, a).
//!           scale_rows: ds = dot_rows(g, a), da = scale_rows(s, g). half and from_half are each
//!           other's.
//! layout    v, d, a, b [P, K]; x, s [P, 1]
//! dtypes    f32 or f64
//! ordering  sums over k in a fixed order for any number of threads
//! empty     P = 0 is valid; K = 0 sums to 0
//! ```
//!
//! A network whose features of an edge depend on its length alone computes values and slopes side by
//! side, by products of matrices, and `follow` ties them together: one differentiation by the length
//! then costs a dot product and leaves parameters to the next. It ties them in
//! the uppermost graph alone: a graph below sees the values and slopes as they were computed, so a
//! second differentiation by the length takes the slope's own way there.

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

pub(crate) use op::{dot_tracked, follow_tracked, from_half_tracked, half_tracked, scale_tracked};

/// A half of a curve `[2, P, K]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The values, which come first.
    Values,
    /// Their derivatives.
    Slopes,
}

impl Half {
    /// Which of the two.
    fn index(self) -> usize {
        match self {
            Self::Values => 0,
            Self::Slopes => 1,
        }
    }
}
