//! The linear map as one node of the autodiff graph. An input is saved only if the gradient
//! that needs it is wanted.

use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::LinearKernels;
use super::WeightLayout;
use crate::Precision;
use crate::graph::{Tracked, absent, primitive, register, tensor};

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

/// [`Linear`] added to something, whose gradient is that of the sum.
#[derive(Debug)]
struct LinearResidual(Linear);

impl Linear {
    /// Gradients of x, weight and bias, where they are wanted.
    fn register<B: LinearKernels>(
        self,
        grad: Tensor<B, 2>,
        Saved { x, weight }: Saved<FloatTensor<B>>,
        [x_node, weight_node, bias_node]: [Option<NodeId>; 3],
        grads: &mut Gradients,
    ) {
        let Self { layout, precision } = self;
        if let (Some(id), Some(weight)) = (x_node, weight) {
            let (grad, weight) = (grad.clone(), tensor(weight));
            let dx = super::linear_input_backward::<B>(grad, weight, layout, precision);
            grads.register::<B>(id, primitive(dx));
        }
        if let (Some(id), Some(x)) = (weight_node, x) {
            let (grad, x) = (grad.clone(), tensor(x));
            let dw = super::linear_weight_backward::<B>(grad, x, layout, precision);
            grads.register::<B>(id, primitive(dw));
        }
        if let Some(id) = bias_node {
            let db: Tensor<B, 1> = grad.sum_dim(0).squeeze_dim(0);
            grads.register::<B>(id, primitive(db));
        }
    }
}

impl<B: LinearKernels> Backward<B, 3> for Linear {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        self.register::<B>(grad, ops.state, parents, grads);
    }
}

impl<B: LinearKernels> Backward<B, 4> for LinearResidual {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad: Tensor<B, 2> = tensor(grads.consume::<B>(&ops.node));
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        let [x, weight, bias, residual] = parents;
        self.0.register::<B>(grad.clone(), ops.state, [x, weight, bias], grads);
        if let Some(id) = residual {
            grads.register::<B>(id, primitive(grad));
        }
    }
}

/// What the backward needs of the two operands.
fn saved<B: LinearKernels, C: CheckpointStrategy>(
    x: &Tracked<B, C>,
    weight: &Tracked<B, C>,
) -> Saved<FloatTensor<B>> {
    Saved {
        x: weight.is_tracked().then(|| x.primitive.clone()),
        weight: x.is_tracked().then(|| weight.primitive.clone()),
    }
}

/// [`linear`](fn@crate::families::linear::linear) inside a graph.
pub(crate) fn tracked<B: LinearKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 2>,
    bias: Option<Tensor<Autodiff<B, C>, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Autodiff<B, C>, 2> {
    let (x, weight, bias) = (primitive(x), primitive(weight), bias.map(primitive));
    let output = super::linear::<B>(
        tensor(x.primitive.clone()),
        tensor(weight.primitive.clone()),
        bias.as_ref().map(|bias| tensor(bias.primitive.clone())),
        layout,
        precision,
    );
    let bias = bias.unwrap_or_else(|| absent::<B, C>(&x));
    let operation = Linear { layout, precision };
    let (parents, state) = ([&x, &weight, &bias], || saved::<B, C>(&x, &weight));
    tensor(register::<B, C, _, 3>(operation, parents, primitive(output), state))
}

/// [`linear_residual`](fn@crate::families::linear::linear_residual) inside a graph.
pub(crate) fn residual_tracked<B: LinearKernels, C: CheckpointStrategy>(
    residual: Tensor<Autodiff<B, C>, 2>,
    x: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 2>,
    bias: Option<Tensor<Autodiff<B, C>, 1>>,
    layout: WeightLayout,
    precision: Precision,
) -> Tensor<Autodiff<B, C>, 2> {
    let (x, weight, bias) = (primitive(x), primitive(weight), bias.map(primitive));
    let residual = primitive(residual);
    let output = super::linear_residual::<B>(
        tensor(residual.primitive.clone()),
        tensor(x.primitive.clone()),
        tensor(weight.primitive.clone()),
        bias.as_ref().map(|bias| tensor(bias.primitive.clone())),
        layout,
        precision,
    );
    let bias = bias.unwrap_or_else(|| absent::<B, C>(&x));
    let operation = LinearResidual(Linear { layout, precision });
    let (parents, state) = ([&x, &weight, &bias, &residual], || saved::<B, C>(&x, &weight));
    tensor(register::<B, C, _, 4>(operation, parents, primitive(output), state))
}
