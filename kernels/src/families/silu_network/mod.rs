//! A network of SiLU layers without biases on values that depend on one number per row, together
//! with the derivatives of these values by that number.
//!
//! ```text
//! letters   P rows, D layers of widths I_0 .. I_D, W_d [I_(d-1), I_d], fixed factors f_d
//! maths     u_d = f_d v_(d-1) W_d, t_d = f_d s_(d-1) W_d, from the given v_0 and s_0;
//!           v_d = silu(u_d), s_d = silu'(u_d) t_d; the result is v_D and s_D
//! gradients of v_0, s_0 and all W_d at once, the activations computed again
//! layout    curves [2, P, I]: the values of all rows, then the slopes; weights flat
//!           [sum of I_(d-1) I_d], first layer first, each row-major
//! dtypes    f32 or f64
//! ordering  rows are cut into parts by their number alone and the gradients of the parts summed in
//!           order: the same bits for any number of threads
//! empty     P = 0 gives nothing, and a gradient of zero
//! source    the chain rule; Batatia et al., "MACE", arXiv:2206.07697, has such networks of lengths
//! ```

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;

use std::ops::Range;

use burn::tensor::Tensor;

use crate::dispatch::{CHECKED, kernels};
use crate::families::linear::LinearKernels;
use crate::families::silu::SiluKernels;
use crate::families::slope::SlopeKernels;
use crate::shape::assert_shape;

/// Widths and factors of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct SiluNetwork {
    widths: Vec<usize>,
    factors: Vec<f64>,
}

impl SiluNetwork {
    /// Layers between `widths`, `I_0` to `I_D`, times `factors`, `f_1` to `f_D`.
    ///
    /// # Panics
    /// When there is no layer, or not a factor for each: a bug of the caller.
    pub fn new(widths: Vec<usize>, factors: Vec<f64>) -> Self {
        assert!(
            !factors.is_empty() && widths.len() == factors.len() + 1,
            "SiluNetwork: {} widths and {} factors; give at least 2 widths and a factor per layer",
            widths.len(),
            factors.len()
        );
        Self { widths, factors }
    }

    /// `D`
    pub fn num_layers(&self) -> usize {
        self.factors.len()
    }

    /// `I_0` to `I_D`
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Numbers of all weights.
    pub fn num_weights(&self) -> usize {
        self.range_of(self.num_layers()).start
    }

    /// `[I, O]` of a layer, counted from 0.
    fn shape_of(&self, layer: usize) -> [usize; 2] {
        [self.widths[layer], self.widths[layer + 1]]
    }

    /// The weights of a layer; behind the last one an empty range.
    fn range_of(&self, layer: usize) -> Range<usize> {
        let mut sizes = self.widths.windows(2).map(|pair| pair[0] * pair[1]);
        let start = sizes.clone().take(layer).sum();
        start..start + sizes.nth(layer).unwrap_or(0)
    }

    /// Asserts the shapes.
    fn check(
        &self,
        operation: &str,
        curve: [usize; 3],
        weights: [usize; 1],
        grad: Option<[usize; 3]>,
    ) {
        let num_rows = curve[1];
        let [first, last] = [self.widths[0], self.widths[self.num_layers()]];
        let because = "the widths of the network fix it";
        assert_shape(operation, "curve", curve, [2, num_rows, first], because);
        assert_shape(operation, "weights", weights, [self.num_weights()], because);
        if let Some(grad) = grad {
            let because = "`curve` fixes P, the network I_D";
            assert_shape(operation, "grad", grad, [2, num_rows, last], because);
        }
    }
}

kernels! {
    pub trait SiluNetworkKernels: LinearKernels + SiluKernels + SlopeKernels {
        fn silu_network(
            curve: Tensor<Self, 3>,
            weights: Tensor<Self, 1>,
            network: &SiluNetwork,
        ) -> Tensor<Self, 3> {
            reference::forward(&curve, &weights, network)
        }
        fn silu_network_backward(
            grad: Tensor<Self, 3>,
            curve: Tensor<Self, 3>,
            weights: Tensor<Self, 1>,
            network: &SiluNetwork,
        ) -> (Tensor<Self, 3>, Tensor<Self, 1>) {
            reference::backward(&grad, &curve, &weights, network)
        }
    }
    cpu {
        silu_network: cpu::forward,
        silu_network_backward: cpu::backward,
    }
    cuda {}
    wgpu {}
    autodiff {
        silu_network: op::tracked,
    }
}

/// `[2, P, I_0] -> [2, P, I_D]`, values and slopes.
pub fn silu_network<B: SiluNetworkKernels>(
    curve: Tensor<B, 3>,
    weights: Tensor<B, 1>,
    network: &SiluNetwork,
) -> Tensor<B, 3> {
    network.check("silu_network", curve.dims(), weights.dims(), None);
    <B as SiluNetworkKernels>::silu_network(CHECKED, curve, weights, network)
}

/// Gradients of the curve and the weights.
pub fn silu_network_backward<B: SiluNetworkKernels>(
    grad: Tensor<B, 3>,
    curve: Tensor<B, 3>,
    weights: Tensor<B, 1>,
    network: &SiluNetwork,
) -> (Tensor<B, 3>, Tensor<B, 1>) {
    let (x, w, g) = (curve.dims(), weights.dims(), grad.dims());
    network.check("silu_network_backward", x, w, Some(g));
    <B as SiluNetworkKernels>::silu_network_backward(CHECKED, grad, curve, weights, network)
}
