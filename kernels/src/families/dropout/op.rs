//! Dropout as one node of the autodiff graph; the mask is drawn again, nothing is saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::DropoutKernels;
use super::DropoutMask;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Dropout {
    mask: DropoutMask,
}

impl<B: DropoutKernels> Backward<B, 1> for Dropout {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(super::dropout::<B>(grad, &self.mask)));
        }
    }
}

/// [`dropout`](fn@crate::families::dropout::dropout) inside a graph.
pub(crate) fn tracked<B: DropoutKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    mask: &DropoutMask,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = super::dropout::<B>(tensor(x.primitive.clone()), mask);
    tensor(register::<B, C, _, 1>(Dropout { mask: *mask }, [&x], primitive(y), || ()))
}
