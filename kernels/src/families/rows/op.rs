//! Both operations as nodes of the autodiff graph; nothing but the index is saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::RowIndex;
use super::RowsKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Gather;

#[derive(Debug)]
struct Sum;

impl<B: RowsKernels> Backward<B, 1> for Gather {
    type State = RowIndex;

    fn backward(self, ops: Ops<RowIndex, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(super::sum_rows::<B>(grad, &ops.state)));
        }
    }
}

impl<B: RowsKernels> Backward<B, 1> for Sum {
    type State = RowIndex;

    fn backward(self, ops: Ops<RowIndex, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(super::gather_rows::<B>(grad, &ops.state)));
        }
    }
}

/// [`gather_rows`](fn@crate::families::rows::gather_rows) inside a graph.
pub(crate) fn gather_tracked<B: RowsKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    indices: &RowIndex,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = super::gather_rows::<B>(tensor(x.primitive.clone()), indices);
    tensor(register::<B, C, _, 1>(Gather, [&x], primitive(y), || indices.clone()))
}

/// [`sum_rows`](fn@crate::families::rows::sum_rows) inside a graph.
pub(crate) fn sum_tracked<B: RowsKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    indices: &RowIndex,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = super::sum_rows::<B>(tensor(x.primitive.clone()), indices);
    tensor(register::<B, C, _, 1>(Sum, [&x], primitive(y), || indices.clone()))
}
