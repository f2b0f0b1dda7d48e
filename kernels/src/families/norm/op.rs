//! Both normalisations as nodes of the autodiff graph; the input and the weight are saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::NormKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct RmsNorm {
    epsilon: f64,
}

#[derive(Debug)]
struct LayerNorm {
    epsilon: f64,
}

#[derive(Debug, Clone)]
struct Saved<F> {
    x: F,
    weight: F,
}

impl<B: NormKernels> Backward<B, 2> for RmsNorm {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let Saved { x, weight } = ops.state;
        let (dx, dweight) =
            super::rms_norm_backward::<B>(grad, tensor(x), tensor(weight), self.epsilon);
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<B>(node.id, primitive(dx));
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, primitive(dweight));
        }
    }
}

impl<B: NormKernels> Backward<B, 3> for LayerNorm {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let Saved { x, weight } = ops.state;
        let (dx, dweight, dbias) =
            super::layer_norm_backward::<B>(grad, tensor(x), tensor(weight), self.epsilon);
        let [x_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<B>(node.id, primitive(dx));
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, primitive(dweight));
        }
        if let Some(node) = bias_node {
            grads.register::<B>(node.id, primitive(dbias));
        }
    }
}

/// [`rms_norm`](fn@crate::families::norm::rms_norm) inside a graph.
pub(crate) fn rms_norm_tracked<B: NormKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 1>,
    epsilon: f64,
) -> Tensor<Autodiff<B, C>, 2> {
    let (x, weight) = (primitive(x), primitive(weight));
    let y = super::rms_norm::<B>(
        tensor(x.primitive.clone()),
        tensor(weight.primitive.clone()),
        epsilon,
    );
    let state = || Saved { x: x.primitive.clone(), weight: weight.primitive.clone() };
    tensor(register::<B, C, _, 2>(RmsNorm { epsilon }, [&x, &weight], primitive(y), state))
}

/// [`layer_norm`](fn@crate::families::norm::layer_norm) inside a graph.
pub(crate) fn layer_norm_tracked<B: NormKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 1>,
    bias: Tensor<Autodiff<B, C>, 1>,
    epsilon: f64,
) -> Tensor<Autodiff<B, C>, 2> {
    let (x, weight, bias) = (primitive(x), primitive(weight), primitive(bias));
    let y = super::layer_norm::<B>(
        tensor(x.primitive.clone()),
        tensor(weight.primitive.clone()),
        tensor(bias.primitive.clone()),
        epsilon,
    );
    let state = || Saved { x: x.primitive.clone(), weight: weight.primitive.clone() };
    let parents = [&x, &weight, &bias];
    tensor(register::<B, C, _, 3>(LayerNorm { epsilon }, parents, primitive(y), state))
}
