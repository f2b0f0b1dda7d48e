//! Both operations as nodes of the autodiff graph; nothing but the index is saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::RowIndex;
use crate::Kernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Gather;

#[derive(Debug)]
struct Sum;

impl<B: Kernels> Backward<B, 1> for Gather {
    type State = RowIndex;

    fn backward(self, ops: Ops<RowIndex, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(B::sum_rows(grad, &ops.state)));
        }
    }
}

impl<B: Kernels> Backward<B, 1> for Sum {
    type State = RowIndex;

    fn backward(self, ops: Ops<RowIndex, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(B::gather_rows(grad, &ops.state)));
        }
    }
}

/// [`Kernels::gather_rows`] inside a graph.
pub(crate) fn gather_tracked<B: Kernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    indices: &RowIndex,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = B::gather_rows(tensor(x.primitive.clone()), indices);
    tensor(register::<B, C, _, 1>(Gather, [&x], primitive(y), || indices.clone()))
}

/// [`Kernels::sum_rows`] inside a graph.
pub(crate) fn sum_tracked<B: Kernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    indices: &RowIndex,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = B::sum_rows(tensor(x.primitive.clone()), indices);
    tensor(register::<B, C, _, 1>(Sum, [&x], primitive(y), || indices.clone()))
}
