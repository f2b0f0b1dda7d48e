//! Messages along edges: the channel-wise tensor product of neighbours' features with spherical
//! harmonics, weighted per edge, path and channel, and summed onto the receivers.
//!
//! ```text
//! letters   N nodes, E edges, C channels, Q paths; sender s(e), receiver r(e); P rows of radial
//!           weights, w(e) that of an edge: edges of one length may share it
//! maths     path q = (l1, l2, l3), K_q = sqrt(2 l3 + 1) C(l1, l2, l3):
//!           y[n, q m3, c] = sum over e with r(e) = n, m1, m2 of
//!                           K_q[m1,m2,m3] R[w(e),q,c] h[s(e), l1 m1, c] Y[e, l2 m2]
//! forms     F(g; h, Y, R) = <g, y> is linear in each of its four slots. The gradient in one slot
//!           is the form with that slot open: y, dh, dY, dR. Each form's own derivatives are the
//!           other forms again, so four kernels serve every order of differentiation.
//! paths     l1 <= max_in, l2 <= max_harmonics, l3 <= max_out, triangle rule, l1 + l2 + l3 even;
//!           l1 outermost, then l2, l3; then sorted by l3, keeping that order
//! layout    h [N, M_in, C]; Y [E, M_y]; R [P, Q, C]; y, g [N, M_out, C]; M_in and M_y run over
//!           (l, m); the block of l3 in M_out is [2 l3 + 1, paths to l3], so that the linear map
//!           that follows is one matrix product per degree
//! dtypes    f32 or f64
//! ordering  edges sorted by receiver; sums run in a fixed order for any number of threads
//! empty     a node without edges receives 0; E = 0 and N = 0 are valid
//! source    Batatia et al., "MACE", arXiv:2206.07697, eq. 8; Geiger and Smidt, "e3nn",
//!           arXiv:2207.09453
//! ```

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod emit;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
mod graph;
mod op;
mod paths;
mod plan;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

pub use graph::{EdgeGraph, EdgeGraphError};
pub use paths::{Path, Paths};

/// Which paths are summed, on which edges.
#[derive(Debug, Clone)]
pub struct ConvolutionProblem {
    /// The paths, shared by all layers of one shape.
    pub paths: Arc<Paths>,
    /// The edges, shared by all layers.
    pub graph: Arc<EdgeGraph>,
}

/// Sizes of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) num_nodes: usize,
    pub(crate) num_edges: usize,
    pub(crate) num_weights: usize,
    pub(crate) channels: usize,
}

impl ConvolutionProblem {
    /// These paths on this graph.
    pub fn new(paths: Arc<Paths>, graph: Arc<EdgeGraph>) -> Self {
        Self { paths, graph }
    }

    /// Asserts the shapes of the slots that are given; C comes from the first that has it.
    fn check(
        &self,
        operation: &str,
        grad: Option<[usize; 3]>,
        features: Option<[usize; 3]>,
        harmonics: Option<[usize; 2]>,
        radial: Option<[usize; 3]>,
    ) {
        let channels = [grad, features, radial].into_iter().flatten().next().map_or(0, |s| s[2]);
        let Sizes { num_nodes, num_edges, num_weights, .. } = self.sizes(channels);
        let paths = &self.paths;
        let because = "the paths, the graph and C fix it";
        if let Some(got) = grad {
            let want = [num_nodes, paths.num_outputs(), channels];
            assert_shape(operation, "grad", got, want, because);
        }
        if let Some(got) = features {
            let want = [num_nodes, paths.num_inputs(), channels];
            assert_shape(operation, "features", got, want, because);
        }
        if let Some(got) = harmonics {
            let want = [num_edges, paths.num_harmonics()];
            assert_shape(operation, "harmonics", got, want, because);
        }
        if let Some(got) = radial {
            let want = [num_weights, paths.len(), channels];
            assert_shape(operation, "radial", got, want, because);
        }
    }

    /// Sizes of a call with so many channels.
    pub(crate) fn sizes(&self, channels: usize) -> Sizes {
        Sizes {
            num_nodes: self.graph.num_nodes(),
            num_edges: self.graph.num_edges(),
            num_weights: self.graph.weights().num_rows(),
            channels,
        }
    }
}

kernels! {
    pub trait ConvolutionKernels: Backend {
        fn convolution(
            features: Tensor<Self, 3>,
            harmonics: Tensor<Self, 2>,
            radial: Tensor<Self, 3>,
            problem: &ConvolutionProblem,
        ) -> Tensor<Self, 3> {
            reference::forward(features, &harmonics, &radial, problem)
        }
        fn convolution_features(
            grad: Tensor<Self, 3>,
            harmonics: Tensor<Self, 2>,
            radial: Tensor<Self, 3>,
            problem: &ConvolutionProblem,
        ) -> Tensor<Self, 3> {
            reference::features(grad, &harmonics, &radial, problem)
        }
        fn convolution_harmonics(
            grad: Tensor<Self, 3>,
            features: Tensor<Self, 3>,
            radial: Tensor<Self, 3>,
            problem: &ConvolutionProblem,
        ) -> Tensor<Self, 2> {
            reference::harmonics(grad, features, &radial, problem)
        }
        fn convolution_radial(
            grad: Tensor<Self, 3>,
            features: Tensor<Self, 3>,
            harmonics: Tensor<Self, 2>,
            problem: &ConvolutionProblem,
        ) -> Tensor<Self, 3> {
            reference::radial(grad, features, &harmonics, problem)
        }
    }
    cpu {
        convolution: cpu::forward,
        convolution_features: cpu::features,
        convolution_harmonics: cpu::harmonics,
        convolution_radial: cpu::radial,
    }
    gpu {
        convolution: gpu::forward,
        convolution_features: gpu::features,
        convolution_harmonics: gpu::harmonics,
        convolution_radial: gpu::radial,
    }
    autodiff {
        convolution: |features, harmonics, radial, problem| {
            op::tracked(op::Slot::Grad, features, harmonics, radial, problem)
        },
        convolution_features: |grad, harmonics, radial, problem| {
            op::tracked(op::Slot::Features, grad, harmonics, radial, problem)
        },
        convolution_harmonics: |grad, features, radial, problem| {
            op::tracked(op::Slot::Harmonics, grad, features, radial, problem)
        },
        convolution_radial: |grad, features, harmonics, problem| {
            op::tracked(op::Slot::Radial, grad, features, harmonics, problem)
        },
    }
}

/// `features [N, M_in, C]`, `harmonics [E, M_y]`, `radial [P, Q, C]` to `[N, M_out, C]`.
pub fn convolution<B: ConvolutionKernels>(
    features: Tensor<B, 3>,
    harmonics: Tensor<B, 2>,
    radial: Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let (h, y, r) = (features.dims(), harmonics.dims(), radial.dims());
    problem.check("convolution", None, Some(h), Some(y), Some(r));
    <B as ConvolutionKernels>::convolution(CHECKED, features, harmonics, radial, problem)
}

/// Gradient of the features, `[N, M_in, C]`.
pub fn convolution_features<B: ConvolutionKernels>(
    grad: Tensor<B, 3>,
    harmonics: Tensor<B, 2>,
    radial: Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let (g, y, r) = (grad.dims(), harmonics.dims(), radial.dims());
    problem.check("convolution_features", Some(g), None, Some(y), Some(r));
    <B as ConvolutionKernels>::convolution_features(CHECKED, grad, harmonics, radial, problem)
}

/// Gradient of the harmonics, `[E, M_y]`.
pub fn convolution_harmonics<B: ConvolutionKernels>(
    grad: Tensor<B, 3>,
    features: Tensor<B, 3>,
    radial: Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 2> {
    let (g, h, r) = (grad.dims(), features.dims(), radial.dims());
    problem.check("convolution_harmonics", Some(g), Some(h), None, Some(r));
    <B as ConvolutionKernels>::convolution_harmonics(CHECKED, grad, features, radial, problem)
}

/// Gradient of the radial weights, `[P, Q, C]`.
pub fn convolution_radial<B: ConvolutionKernels>(
    grad: Tensor<B, 3>,
    features: Tensor<B, 3>,
    harmonics: Tensor<B, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let (g, h, y) = (grad.dims(), features.dims(), harmonics.dims());
    problem.check("convolution_radial", Some(g), Some(h), Some(y), None);
    <B as ConvolutionKernels>::convolution_radial(CHECKED, grad, features, harmonics, problem)
}
