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

#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
#[cfg(any(test, feature = "cuda", feature = "wgpu"))]
pub(crate) mod emit;
mod graph;
mod op;
mod paths;
mod plan;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use std::sync::Arc;

pub use graph::{EdgeGraph, EdgeGraphError};
pub(crate) use op::{Slot, tracked};
pub use paths::{Path, Paths};

use crate::shape::assert_shape;

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
    pub(crate) fn check(
        &self,
        operation: &str,
        grad: Option<[usize; 3]>,
        features: Option<[usize; 3]>,
        harmonics: Option<[usize; 2]>,
        radial: Option<[usize; 3]>,
    ) -> Sizes {
        let channels = [grad, features, radial].into_iter().flatten().next().map_or(0, |s| s[2]);
        let (num_nodes, num_edges) = (self.graph.num_nodes(), self.graph.num_edges());
        let num_weights = self.graph.weights().num_rows();
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
        Sizes { num_nodes, num_edges, num_weights, channels }
    }
}
