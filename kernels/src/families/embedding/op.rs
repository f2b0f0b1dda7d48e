//! The lookup as one node of the autodiff graph; only the ids are saved.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::ops::IntTensor;
use burn::tensor::{Int, Tensor};

use super::EmbeddingKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Embedding {
    num_rows: usize,
}

impl<B: EmbeddingKernels> Backward<B, 1> for Embedding {
    type State = IntTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        if let [Some(node)] = ops.parents {
            let ids = Tensor::from_primitive(ops.state);
            let table = super::embedding_backward::<B>(grad, ids, self.num_rows);
            grads.register::<B>(node.id, primitive(table));
        }
    }
}

/// [`embedding`](fn@crate::families::embedding::embedding) inside a graph.
pub(crate) fn tracked<B: EmbeddingKernels, C: CheckpointStrategy>(
    weight: Tensor<Autodiff<B, C>, 2>,
    ids: Tensor<Autodiff<B, C>, 1, Int>,
) -> Tensor<Autodiff<B, C>, 2> {
    let [num_rows, _] = weight.dims();
    let (weight, ids) = (primitive(weight), ids.inner());
    let y = super::embedding::<B>(tensor(weight.primitive.clone()), ids.clone());
    let state = || ids.into_primitive();
    tensor(register::<B, C, _, 1>(Embedding { num_rows }, [&weight], primitive(y), state))
}
