//! The rotation as one node of the autodiff graph; only the tables are saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::RotaryKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Rotary;

#[derive(Debug, Clone)]
struct Saved<F> {
    cos: F,
    sin: F,
}

impl<B: RotaryKernels> Backward<B, 1> for Rotary {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let Saved { cos, sin } = ops.state;
        if let [Some(node)] = ops.parents {
            let back = tensor::<B, 2>(sin).neg();
            let dx = super::rotary::<B>(grad, tensor(cos), back);
            grads.register::<B>(node.id, primitive(dx));
        }
    }
}

/// [`rotary`](fn@crate::families::rotary::rotary) inside a graph.
pub(crate) fn tracked<B: RotaryKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 3>,
    cos: Tensor<Autodiff<B, C>, 2>,
    sin: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 3> {
    let (x, cos, sin) = (primitive(x), primitive(cos).primitive, primitive(sin).primitive);
    let y =
        super::rotary::<B>(tensor(x.primitive.clone()), tensor(cos.clone()), tensor(sin.clone()));
    let state = || Saved { cos, sin };
    tensor(register::<B, C, _, 1>(Rotary, [&x], primitive(y), state))
}
