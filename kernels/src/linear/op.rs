//! The linear map as one node of the autodiff graph. An input is saved only if the gradient
//! that needs it is wanted.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::WeightLayout;
use crate::graph::{absent, primitive, register, tensor};
use crate::{Kernels, Precision};

#[derive(Debug)]
struct Linear {
    layout: WeightLayout,
    precision: Precision,
}

#[derive(Debug, Clone)]
struct Saved<F> {
    x: Option<F>,
    weight: Option<F>,
}

impl<B: Kernels> Backward<B, 3> for Linear {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad: Tensor<B, 2> = tensor(grads.consume::<B>(&ops.node));
        let Saved { x, weight } = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        if let (Some(node), Some(weight)) = (x_node, weight) {
            let weight = tensor(weight);
            let dx = <B as Kernels>::linear_input_backward(
                grad.clone(),
                weight,
                self.layout,
                self.precision,
            );
            grads.register::<B>(node.id, primitive(dx));
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            let dw = <B as Kernels>::linear_weight_backward(
                grad.clone(),
                tensor(x),
                self.layout,
                self.precision,
            );
            grads.register::<B>(node.id, primitive(dw));
        }
        if let Some(node) = bias_node {
            let db: Tensor<B, 1> = grad.sum_dim(0).squeeze_dim(0);
            grads.register::<B>(node.id, primitive(db));
        }
    }
}

/// [`Kernels::linear`] inside a graph.
pub(crate) fn tracked<B: Kernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 2>,
    bias: Option<Tensor<Autodiff<B, C>, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Autodiff<B, C>, 2> {
    let (x, weight, bias) = (primitive(x), primitive(weight), bias.map(primitive));
    let output = <B as Kernels>::linear(
        tensor(x.primitive.clone()),
        tensor(weight.primitive.clone()),
        bias.as_ref().map(|bias| tensor(bias.primitive.clone())),
        layout,
        precision,
    );
    let bias = bias.unwrap_or_else(|| absent::<B, C>(&x));
    let state = || Saved {
        x: weight.is_tracked().then(|| x.primitive.clone()),
        weight: x.is_tracked().then(|| weight.primitive.clone()),
    };
    let operation = Linear { layout, precision };
    tensor(register::<B, C, _, 3>(operation, [&x, &weight, &bias], primitive(output), state))
}
