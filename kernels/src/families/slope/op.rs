//! The three operations as nodes of the autodiff graph; each backward is made of the others.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::SlopeKernels;
use super::{Half, reference};
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Follow;

#[derive(Debug)]
struct Dot;

#[derive(Debug)]
struct Scale;

#[derive(Debug)]
struct Of(Half);

#[derive(Debug)]
struct From(Half);

impl<B: SlopeKernels> Backward<B, 1> for Of {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(super::from_half::<B>(tensor(grad), self.0)));
        }
    }
}

impl<B: SlopeKernels> Backward<B, 1> for From {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(super::half::<B>(tensor(grad), self.0)));
        }
    }
}

impl<B: SlopeKernels> Backward<B, 2> for Follow {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x_node, values_node] = ops.parents;
        if let Some(node) = x_node {
            let dx = super::dot_rows::<B>(tensor(grad.clone()), tensor(ops.state));
            grads.register::<B>(node.id, primitive(dx));
        }
        if let Some(node) = values_node {
            grads.register::<B>(node.id, grad);
        }
    }
}

impl<B: SlopeKernels> Backward<B, 2> for Dot {
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [a, b] = ops.state;
        for (node, other) in ops.parents.into_iter().zip([b, a]) {
            if let Some(node) = node {
                let part = super::scale_rows::<B>(tensor(grad.clone()), tensor(other));
                grads.register::<B>(node.id, primitive(part));
            }
        }
    }
}

impl<B: SlopeKernels> Backward<B, 2> for Scale {
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [scales, a] = ops.state;
        let [scales_node, a_node] = ops.parents;
        if let Some(node) = scales_node {
            let part = super::dot_rows::<B>(tensor(grad.clone()), tensor(a));
            grads.register::<B>(node.id, primitive(part));
        }
        if let Some(node) = a_node {
            let part = super::scale_rows::<B>(tensor(scales), tensor(grad));
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

/// [`follow`](fn@crate::families::slope::follow) inside a graph.
pub(crate) fn follow_tracked<B: SlopeKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    values: Tensor<Autodiff<B, C>, 2>,
    slopes: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let [x, values, slopes] = [x, values, slopes].map(primitive);
    let [a, b, c] = [&x, &values, &slopes].map(|part| tensor::<B, 2>(part.primitive.clone()));
    // Not `B::follow`: a graph below has its own way from the number to the values.
    let y = primitive(reference::follow(&a, b, &c));
    tensor(register::<B, C, _, 2>(Follow, [&x, &values], y, || slopes.primitive.clone()))
}

/// [`dot_rows`](fn@crate::families::slope::dot_rows) inside a graph.
pub(crate) fn dot_tracked<B: SlopeKernels, C: CheckpointStrategy>(
    a: Tensor<Autodiff<B, C>, 2>,
    b: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let parents = [a, b].map(primitive);
    let values = parents.each_ref().map(|part| part.primitive.clone());
    let [a, b] = values.clone().map(tensor);
    let y = primitive(super::dot_rows::<B>(a, b));
    tensor(register::<B, C, _, 2>(Dot, parents.each_ref(), y, || values))
}

/// [`scale_rows`](fn@crate::families::slope::scale_rows) inside a graph.
pub(crate) fn scale_tracked<B: SlopeKernels, C: CheckpointStrategy>(
    scales: Tensor<Autodiff<B, C>, 2>,
    a: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let parents = [scales, a].map(primitive);
    let values = parents.each_ref().map(|part| part.primitive.clone());
    let [scales, a] = values.clone().map(tensor);
    let y = primitive(super::scale_rows::<B>(scales, a));
    tensor(register::<B, C, _, 2>(Scale, parents.each_ref(), y, || values))
}

/// [`half`](fn@crate::families::slope::half) inside a graph.
pub(crate) fn half_tracked<B: SlopeKernels, C: CheckpointStrategy>(
    curve: Tensor<Autodiff<B, C>, 3>,
    half: Half,
) -> Tensor<Autodiff<B, C>, 2> {
    let curve = primitive(curve);
    let y = primitive(super::half::<B>(tensor(curve.primitive.clone()), half));
    tensor(register::<B, C, _, 1>(Of(half), [&curve], y, || ()))
}

/// [`from_half`](fn@crate::families::slope::from_half) inside a graph.
pub(crate) fn from_half_tracked<B: SlopeKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    half: Half,
) -> Tensor<Autodiff<B, C>, 3> {
    let x = primitive(x);
    let y = primitive(super::from_half::<B>(tensor(x.primitive.clone()), half));
    tensor(register::<B, C, _, 1>(From(half), [&x], y, || ()))
}
