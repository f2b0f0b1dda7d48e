//! The harmonics and their backward as nodes of the autodiff graph; vectors and gradient are saved.
//!
//! The backward's own backward is [`Kernels::spherical_harmonics_second`]; inside a third level
//! that one is Burn operations, which differentiate to any order.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use crate::Kernels;
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

impl<B: Kernels> Backward<B, 1> for Harmonics {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            let part = B::spherical_harmonics_backward(grad, tensor(ops.state));
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

impl<B: Kernels> Backward<B, 2> for HarmonicsBackward {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let along = tensor(grads.consume::<B>(&ops.node));
        let Saved { grad, vectors } = ops.state;
        let (slope, bend) = B::spherical_harmonics_second(along, tensor(grad), tensor(vectors));
        let [grad_node, vectors_node] = ops.parents;
        if let Some(node) = grad_node {
            grads.register::<B>(node.id, primitive(slope));
        }
        if let Some(node) = vectors_node {
            grads.register::<B>(node.id, primitive(bend));
        }
    }
}

/// [`Kernels::spherical_harmonics`] inside a graph.
pub(crate) fn tracked<B: Kernels, C: CheckpointStrategy>(
    vectors: Tensor<Autodiff<B, C>, 2>,
    max_degree: usize,
) -> Tensor<Autodiff<B, C>, 2> {
    let vectors = primitive(vectors);
    let y = B::spherical_harmonics(tensor(vectors.primitive.clone()), max_degree);
    let state = || vectors.primitive.clone();
    tensor(register::<B, C, _, 1>(Harmonics, [&vectors], primitive(y), state))
}

/// [`Kernels::spherical_harmonics_backward`] inside a graph.
pub(crate) fn backward_tracked<B: Kernels, C: CheckpointStrategy>(
    grad: Tensor<Autodiff<B, C>, 2>,
    vectors: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let (grad, vectors) = (primitive(grad), primitive(vectors));
    let y = B::spherical_harmonics_backward(
        tensor(grad.primitive.clone()),
        tensor(vectors.primitive.clone()),
    );
    let state = || Saved { grad: grad.primitive.clone(), vectors: vectors.primitive.clone() };
    let parents = [&grad, &vectors];
    tensor(register::<B, C, _, 2>(HarmonicsBackward, parents, primitive(y), state))
}
