//! The gated activation as one node of the autodiff graph; both inputs are saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::SwigluKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Swiglu;

#[derive(Debug, Clone)]
struct Saved<F> {
    gate: F,
    up: F,
}

impl<B: SwigluKernels> Backward<B, 2> for Swiglu {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let Saved { gate, up } = ops.state;
        let (dgate, dup) = super::swiglu_backward::<B>(grad, tensor(gate), tensor(up));
        let [gate_node, up_node] = ops.parents;
        if let Some(node) = gate_node {
            grads.register::<B>(node.id, primitive(dgate));
        }
        if let Some(node) = up_node {
            grads.register::<B>(node.id, primitive(dup));
        }
    }
}

/// [`swiglu`](fn@crate::families::swiglu::swiglu) inside a graph.
pub(crate) fn tracked<B: SwigluKernels, C: CheckpointStrategy>(
    gate: Tensor<Autodiff<B, C>, 2>,
    up: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let (gate, up) = (primitive(gate), primitive(up));
    let y = super::swiglu::<B>(tensor(gate.primitive.clone()), tensor(up.primitive.clone()));
    let state = || Saved { gate: gate.primitive.clone(), up: up.primitive.clone() };
    tensor(register::<B, C, _, 2>(Swiglu, [&gate, &up], primitive(y), state))
}
