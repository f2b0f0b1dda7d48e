//! Dropout as one node of the autodiff graph; the mask is drawn again, nothing is saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::DropoutMask;
use crate::Kernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Dropout {
    mask: DropoutMask,
}

impl<B: Kernels> Backward<B, 1> for Dropout {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, primitive(<B as Kernels>::dropout(grad, &self.mask)));
        }
    }
}

/// [`Kernels::dropout`] inside a graph.
pub(crate) fn tracked<B: Kernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    mask: &DropoutMask,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = <B as Kernels>::dropout(tensor(x.primitive.clone()), mask);
    tensor(register::<B, C, _, 1>(Dropout { mask: *mask }, [&x], primitive(y), || ()))
}
