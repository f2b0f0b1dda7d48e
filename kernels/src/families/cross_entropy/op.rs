//! Linear cross entropy as one node of the autodiff graph: its gradients are made with the loss
//! and saved, never a logit; the backward multiplies them by the gradient of the loss.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Int, Tensor};

use super::CrossEntropyKernels;
use crate::Precision;
use crate::graph::{Tracked, absent, primitive, register, tensor};

#[derive(Debug)]
struct LinearCrossEntropy;

/// Gradients for a gradient of the loss of one; none where nothing is tracked.
#[derive(Debug, Clone)]
struct Saved<F> {
    hidden: F,
    weight: F,
    bias: Option<F>,
}

impl<B: CrossEntropyKernels> Backward<B, 3> for LinearCrossEntropy {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let factor: Tensor<B, 1> = tensor(grads.consume::<B>(&ops.node));
        let Saved { hidden, weight, bias } = ops.state;
        let times = |x: FloatTensor<B>| {
            primitive(super::scale_by::<B, 2>(tensor::<B, 2>(x), factor.clone()))
        };
        let [hidden_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = hidden_node {
            grads.register::<B>(node.id, times(hidden));
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, times(weight));
        }
        if let (Some(node), Some(bias)) = (bias_node, bias) {
            let bias = tensor::<B, 1>(bias).mul(factor);
            grads.register::<B>(node.id, primitive(bias));
        }
    }
}

/// [`linear_cross_entropy`](fn@crate::families::cross_entropy::linear_cross_entropy) inside a graph; the log-sum-exp comes back untracked.
#[expect(clippy::type_complexity, reason = "two tensors of one backend")]
pub(crate) fn tracked<B: CrossEntropyKernels, C: CheckpointStrategy>(
    hidden: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 2>,
    bias: Option<Tensor<Autodiff<B, C>, 1>>,
    labels: Tensor<Autodiff<B, C>, 1, Int>,
    precision: Precision,
) -> (Tensor<Autodiff<B, C>, 1>, Tensor<Autodiff<B, C>, 1>) {
    let (hidden, weight, bias) = (primitive(hidden), primitive(weight), bias.map(primitive));
    let inputs = [Some(&hidden), Some(&weight), bias.as_ref()];
    let is_tracked = inputs.into_iter().flatten().any(Tracked::<B, C>::is_tracked);
    let (x, w) = (tensor(hidden.primitive.clone()), tensor(weight.primitive.clone()));
    let b = bias.as_ref().map(|bias| tensor(bias.primitive.clone()));
    let labels = labels.inner();
    if !is_tracked {
        let (loss, lse) = super::linear_cross_entropy::<B>(x, w, b, labels, precision);
        return (Tensor::from_inner(loss), Tensor::from_inner(lse));
    }
    let found = super::linear_cross_entropy_gradients::<B>(x, w, b, labels, precision);
    let saved = Saved {
        hidden: primitive(found.hidden),
        weight: primitive(found.weight),
        bias: found.bias.map(primitive),
    };
    let bias = bias.unwrap_or_else(|| absent::<B, C>(&hidden));
    let parents = [&hidden, &weight, &bias];
    let loss = register::<B, C, _, 3>(LinearCrossEntropy, parents, primitive(found.loss), || saved);
    (tensor(loss), Tensor::from_inner(found.log_sum_exp))
}
