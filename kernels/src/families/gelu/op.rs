//! GELU as one node of the autodiff graph; the input is saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::GeluKernels;
use super::GeluKind;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Gelu {
    kind: GeluKind,
}

impl<B: GeluKernels> Backward<B, 1> for Gelu {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            let dx = super::gelu_backward::<B>(grad, tensor(ops.state), self.kind);
            grads.register::<B>(node.id, primitive(dx));
        }
    }
}

/// [`gelu`](fn@crate::families::gelu::gelu) inside a graph.
pub(crate) fn tracked<B: GeluKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    kind: GeluKind,
) -> Tensor<Autodiff<B, C>, 2> {
    let x = primitive(x);
    let y = super::gelu::<B>(tensor(x.primitive.clone()), kind);
    let state = || x.primitive.clone();
    tensor(register::<B, C, _, 1>(Gelu { kind }, [&x], primitive(y), state))
}
