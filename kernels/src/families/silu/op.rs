//! SiLU and its slope as nodes of the autodiff graph.
//!
//! The slope is linear in its direction, so the backward of the function is the slope and that of
//! the slope is slope and bend. Inside a third level the bend is Burn operations.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::SiluKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Silu;

#[derive(Debug)]
struct Slope;

#[derive(Debug, Clone)]
struct Saved<F> {
    along: F,
    x: F,
}

impl<B: SiluKernels> Backward<B, 1> for Silu {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            let dx = super::silu_slope::<B>(grad, tensor(ops.state));
            grads.register::<B>(node.id, primitive(dx));
        }
    }
}

impl<B: SiluKernels> Backward<B, 2> for Slope {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad: Tensor<B, 2> = tensor(grads.consume::<B>(&ops.node));
        let (along, x) = (tensor::<B, 2>(ops.state.along), tensor::<B, 2>(ops.state.x));
        let [along_node, x_node] = ops.parents;
        if let Some(node) = along_node {
            let part = super::silu_slope::<B>(grad.clone(), x.clone());
            grads.register::<B>(node.id, primitive(part));
        }
        if let Some(node) = x_node {
            let part = super::silu_bend::<B>(along, grad, x);
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

/// [`silu`](fn@crate::families::silu::silu) inside a graph.
pub(crate) fn tracked<B: SiluKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = super::silu::<B>(tensor(x.primitive.clone()));
    let state = || x.primitive.clone();
    tensor(register::<B, C, _, 1>(Silu, [&x], primitive(y), state))
}

/// [`silu_slope`](fn@crate::families::silu::silu_slope) inside a graph.
pub(crate) fn slope_tracked<B: SiluKernels, C: CheckpointStrategy>(
    along: Tensor<Autodiff<B, C>, 2>,
    x: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let (along, x) = (primitive(along), primitive(x));
    let values = [&along, &x].map(|part| tensor(part.primitive.clone()));
    let [a, b] = values;
    let y = super::silu_slope::<B>(a, b);
    let state = || Saved { along: along.primitive.clone(), x: x.primitive.clone() };
    tensor(register::<B, C, _, 2>(Slope, [&along, &x], primitive(y), state))
}
