//! Bessel functions of a length under a cut-off, with their derivatives by the length.
//!
//! ```text
//! letters   P lengths r > 0; n = 1 .. K functions; cut-off radius c and power p; x = r / c
//! maths     B_n = sqrt(2 / c) sin(w r) / r, w = n pi / c
//!           f   = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2); 0 from c on
//!           values B_n f, slopes B_n' f + B_n f', with B_n' = (sqrt(2 / c) w cos(w r) - B_n) / r and
//!           f' = -p(p+1)(p+2)/(2 c) x^(p-1) (1 - x)^2
//! gradient  a graph that tracks the lengths differentiates the reference
//! layout    r [P, 1]; result [2, P, K], a curve as in `slope`
//! dtypes    f32 or f64; the CPU computes in f64 and rounds once
//! ordering  every row by itself
//! empty     P = 0 gives nothing
//! source    Gasteiger et al., "Directional Message Passing", arXiv:2003.03123
//! ```

pub(crate) mod cases;
pub(crate) mod cpu;
pub mod curves;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

/// Which functions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadialBasis {
    /// `K`
    pub num: usize,
    /// `c`, in the unit of the lengths.
    pub radius: f64,
    /// `p`, at least 1.
    pub power: u32,
}

kernels! {
    pub trait RadialBasisKernels: Backend {
        fn radial_basis(lengths: Tensor<Self, 2>, basis: &RadialBasis) -> Tensor<Self, 3> {
            reference::forward(&lengths, basis)
        }
    }
    cpu {
        radial_basis: cpu::forward,
    }
    cuda {}
    wgpu {}
    autodiff {
        radial_basis: op::tracked,
    }
}

/// Bessel functions under a cut-off, `[P, 1] -> [2, P, K]`.
pub fn radial_basis<B: RadialBasisKernels>(
    lengths: Tensor<B, 2>,
    basis: &RadialBasis,
) -> Tensor<B, 3> {
    let [rows, _] = lengths.dims();
    assert_shape("radial_basis", "lengths", lengths.dims(), [rows, 1], "they are [P, 1]");
    <B as RadialBasisKernels>::radial_basis(CHECKED, lengths, basis)
}
