//! The functions inside a graph: a constant there unless it tracks the lengths.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::tensor::Tensor;

use super::RadialBasisKernels;
use super::{RadialBasis, reference};
use crate::graph::{primitive, tensor};

/// [`radial_basis`](fn@crate::families::radial_basis::radial_basis) inside a graph.
pub(crate) fn tracked<B: RadialBasisKernels, C: CheckpointStrategy>(
    lengths: Tensor<Autodiff<B, C>, 2>,
    basis: &RadialBasis,
) -> Tensor<Autodiff<B, C>, 3> {
    let lengths = primitive(lengths);
    if lengths.is_tracked() {
        return reference::forward(&tensor(lengths), basis);
    }
    Tensor::from_inner(super::radial_basis::<B>(tensor(lengths.primitive), basis))
}
