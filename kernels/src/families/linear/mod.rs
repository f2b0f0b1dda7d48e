//! Linear maps of token rows.
//!
//! ```text
//! maths     y[n, o] = sum_i x[n, i] W[o, i] + b[o] (+ r[n, o])
//!           dx = g W,  dW = g^T x,  db[o] = sum_n g[n, o],  dr = g
//! layout    x [N, I], g, r and y [N, O]; W [O, I] (OutIn) or its transpose [I, O] (InOut)
//! dtypes    f32 or f64; Bf16Mixed rounds the operands of the products, not the bias
//! ordering  as deterministic as the matrix product of the backend; on the CPU for any number of
//!           threads
//! source    W as torch.nn.Linear stores it (OutIn) or as GPT-2's Conv1D does (InOut)
//! ```
//!
//! The two gradients are separate methods so that a frozen weight, or an input that needs no
//! gradient, costs nothing.

pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;

pub(crate) use op::{residual_tracked, tracked};

use crate::shape::assert_shape;

/// Which axis of a stored weight is the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WeightLayout {
    /// `[O, I]`, as `torch.nn.Linear`.
    OutIn,
    /// `[I, O]`, as GPT-2's `Conv1D`.
    InOut,
}

impl WeightLayout {
    /// `(inputs, outputs)` of a weight stored with these dimensions.
    pub fn inputs_outputs(self, [rows, columns]: [usize; 2]) -> (usize, usize) {
        match self {
            Self::OutIn => (columns, rows),
            Self::InOut => (rows, columns),
        }
    }
}

/// Asserts the shapes of one call; returns `(N, I, O)`.
pub(crate) fn check(
    [tokens, width]: [usize; 2],
    weight: [usize; 2],
    bias: Option<[usize; 1]>,
    layout: WeightLayout,
) -> (usize, usize, usize) {
    let (inputs, outputs) = layout.inputs_outputs(weight);
    assert_shape("linear", "x", [tokens, width], [tokens, inputs], "`weight` fixes I");
    if let Some(bias) = bias {
        assert_shape("linear", "bias", bias, [outputs], "`weight` fixes O");
    }
    (tokens, inputs, outputs)
}

/// Asserts the shape of what the result `[N, O]` is added to.
pub(crate) fn check_residual(residual: [usize; 2], (tokens, _, outputs): (usize, usize, usize)) {
    let want = [tokens, outputs];
    assert_shape("linear_residual", "residual", residual, want, "`x` fixes N, `weight` fixes O");
}
