//! The harmonics and their backward as nodes of the autodiff graph; vectors and gradient are saved.
//!
//! The backward's own backward is [`spherical_harmonics_second`](fn@crate::families::spherical_harmonics::spherical_harmonics_second); inside a third level
//! that one is Burn operations, which differentiate to any order.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::SphericalHarmonicsKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Harmonics;

#[derive(Debug)]
struct HarmonicsBackward;

#[derive(Debug, Clone)]
struct Saved<F> {
    grad: F,
    vectors: F,
}

impl<B: SphericalHarmonicsKernels> Backward<B, 1> for Harmonics {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            let part = super::spherical_harmonics_backward::<B>(grad, tensor(ops.state));
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

impl<B: SphericalHarmonicsKernels> Backward<B, 2> for HarmonicsBackward {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let along = tensor(grads.consume::<B>(&ops.node));
        let Saved { grad, vectors } = ops.state;
        let (slope, bend) =
            super::spherical_harmonics_second::<B>(along, tensor(grad), tensor(vectors));
        let [grad_node, vectors_node] = ops.parents;
        if let Some(node) = grad_node {
            grads.register::<B>(node.id, primitive(slope));
        }
        if let Some(node) = vectors_node {
            grads.register::<B>(node.id, primitive(bend));
        }
    }
}

/// [`spherical_harmonics`](fn@crate::families::spherical_harmonics::spherical_harmonics) inside a graph.
pub(crate) fn tracked<B: SphericalHarmonicsKernels, C: CheckpointStrategy>(
    vectors: Tensor<Autodiff<B, C>, 2>,
    max_degree: usize,
) -> Tensor<Autodiff<B, C>, 2> {
    let vectors = primitive(vectors);
    let y = super::spherical_harmonics::<B>(tensor(vectors.primitive.clone()), max_degree);
    let state = || vectors.primitive.clone();
    tensor(register::<B, C, _, 1>(Harmonics, [&vectors], primitive(y), state))
}

/// [`spherical_harmonics_backward`](fn@crate::families::spherical_harmonics::spherical_harmonics_backward) inside a graph.
pub(crate) fn backward_tracked<B: SphericalHarmonicsKernels, C: CheckpointStrategy>(
    grad: Tensor<Autodiff<B, C>, 2>,
    vectors: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let (grad, vectors) = (primitive(grad), primitive(vectors));
    let y = super::spherical_harmonics_backward::<B>(
        tensor(grad.primitive.clone()),
        tensor(vectors.primitive.clone()),
    );
    let state = || Saved { grad: grad.primitive.clone(), vectors: vectors.primitive.clone() };
    let parents = [&grad, &vectors];
    tensor(register::<B, C, _, 2>(HarmonicsBackward, parents, primitive(y), state))
}
