//! The map and its gradient as nodes of the autodiff graph; each is the backward of the other.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::RowMixing;
use super::RowMixingKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Mix;

#[derive(Debug)]
struct Unmix;

impl<B: RowMixingKernels> Backward<B, 1> for Mix {
    type State = RowMixing;

    fn backward(self, ops: Ops<RowMixing, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            let part = super::mix_rows_backward::<B>(tensor(grad), &ops.state);
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

impl<B: RowMixingKernels> Backward<B, 1> for Unmix {
    type State = RowMixing;

    fn backward(self, ops: Ops<RowMixing, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(super::mix_rows::<B>(tensor(grad), &ops.state)));
        }
    }
}

/// [`mix_rows`](fn@crate::families::row_mixing::mix_rows) inside a graph.
pub(crate) fn tracked<B: RowMixingKernels, C: CheckpointStrategy>(
    weights: Tensor<Autodiff<B, C>, 3>,
    mixing: &RowMixing,
) -> Tensor<Autodiff<B, C>, 3> {
    let weights = primitive(weights);
    let y = primitive(super::mix_rows::<B>(tensor(weights.primitive.clone()), mixing));
    tensor(register::<B, C, _, 1>(Mix, [&weights], y, || mixing.clone()))
}

/// [`mix_rows_backward`](fn@crate::families::row_mixing::mix_rows_backward) inside a graph.
pub(crate) fn backward_tracked<B: RowMixingKernels, C: CheckpointStrategy>(
    grad: Tensor<Autodiff<B, C>, 3>,
    mixing: &RowMixing,
) -> Tensor<Autodiff<B, C>, 3> {
    let grad = primitive(grad);
    let y = primitive(super::mix_rows_backward::<B>(tensor(grad.primitive.clone()), mixing));
    tensor(register::<B, C, _, 1>(Unmix, [&grad], y, || mixing.clone()))
}
