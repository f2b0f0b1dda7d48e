//! Linear cross entropy as one node of the autodiff graph: the inputs and the log-sum-exp are
//! saved, never a logit.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Int, Tensor};

use super::Saved;
use crate::graph::{absent, primitive, register, tensor};
use crate::{Kernels, Precision};

#[derive(Debug)]
struct LinearCrossEntropy;

impl<B: Kernels> Backward<B, 3> for LinearCrossEntropy {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let Saved { hidden, weight, bias, labels, log_sum_exp, precision } = ops.state;
        let (dhidden, dweight, dbias) = <B as Kernels>::linear_cross_entropy_backward(
            grad,
            hidden,
            weight,
            bias,
            labels,
            log_sum_exp,
            precision,
        );
        let [hidden_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = hidden_node {
            grads.register::<B>(node.id, primitive(dhidden));
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, primitive(dweight));
        }
        if let (Some(node), Some(dbias)) = (bias_node, dbias) {
            grads.register::<B>(node.id, primitive(dbias));
        }
    }
}

/// [`Kernels::linear_cross_entropy`] inside a graph; the log-sum-exp comes back untracked.
#[expect(clippy::type_complexity, reason = "two tensors of one backend")]
pub(crate) fn tracked<B: Kernels, C: CheckpointStrategy>(
    hidden: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 2>,
    bias: Option<Tensor<Autodiff<B, C>, 1>>,
    labels: Tensor<Autodiff<B, C>, 1, Int>,
    precision: Precision,
) -> (Tensor<Autodiff<B, C>, 1>, Tensor<Autodiff<B, C>, 1>) {
    let (hidden, weight, bias) = (primitive(hidden), primitive(weight), bias.map(primitive));
    let mut saved = Saved::<B> {
        hidden: tensor(hidden.primitive.clone()),
        weight: tensor(weight.primitive.clone()),
        bias: bias.as_ref().map(|bias| tensor(bias.primitive.clone())),
        labels: labels.inner(),
        log_sum_exp: Tensor::empty([0], &B::float_device(&hidden.primitive)),
        precision,
    };
    let inputs = saved.clone();
    let (loss, lse) = <B as Kernels>::linear_cross_entropy(
        inputs.hidden,
        inputs.weight,
        inputs.bias,
        inputs.labels,
        precision,
    );
    saved.log_sum_exp = lse.clone();
    let bias = bias.unwrap_or_else(|| absent::<B, C>(&hidden));
    let parents = [&hidden, &weight, &bias];
    let loss = register::<B, C, _, 3>(LinearCrossEntropy, parents, primitive(loss), || saved);
    (tensor(loss), Tensor::from_inner(lse))
}
