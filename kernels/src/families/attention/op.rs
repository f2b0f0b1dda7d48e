//! Attention as one node of the autodiff graph: q, k, v, the output and the log-sum-exp are
//! saved, never the probabilities.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::AttentionKernels;
use super::AttentionProblem;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Attention {
    problem: AttentionProblem,
}

#[derive(Debug, Clone)]
struct Saved<F> {
    q: F,
    k: F,
    v: F,
    output: F,
    log_sum_exp: F,
}

impl<B: AttentionKernels> Backward<B, 3> for Attention {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let Saved { q, k, v, output, log_sum_exp } = ops.state;
        let (dq, dk, dv) = super::attention_backward::<B>(
            grad,
            tensor(q),
            tensor(k),
            tensor(v),
            tensor(output),
            tensor(log_sum_exp),
            &self.problem,
        );
        let [q_node, k_node, v_node] = ops.parents;
        if let Some(node) = q_node {
            grads.register::<B>(node.id, primitive(dq));
        }
        if let Some(node) = k_node {
            grads.register::<B>(node.id, primitive(dk));
        }
        if let Some(node) = v_node {
            grads.register::<B>(node.id, primitive(dv));
        }
    }
}

/// [`attention`](fn@crate::families::attention::attention) inside a graph; the log-sum-exp comes back untracked.
#[expect(clippy::type_complexity, reason = "two tensors of one backend")]
pub(crate) fn tracked<B: AttentionKernels, C: CheckpointStrategy>(
    q: Tensor<Autodiff<B, C>, 3>,
    k: Tensor<Autodiff<B, C>, 3>,
    v: Tensor<Autodiff<B, C>, 3>,
    problem: &AttentionProblem,
) -> (Tensor<Autodiff<B, C>, 3>, Tensor<Autodiff<B, C>, 2>) {
    let (q, k, v) = (primitive(q), primitive(k), primitive(v));
    let (output, lse) = super::attention::<B>(
        tensor(q.primitive.clone()),
        tensor(k.primitive.clone()),
        tensor(v.primitive.clone()),
        problem,
    );
    let output = primitive(output);
    let state = || Saved {
        q: q.primitive.clone(),
        k: k.primitive.clone(),
        v: v.primitive.clone(),
        output: output.clone(),
        log_sum_exp: primitive(lse.clone()),
    };
    let operation = Attention { problem: problem.clone() };
    let y = register::<B, C, _, 3>(operation, [&q, &k, &v], output.clone(), state);
    (tensor(y), Tensor::from_inner(lse))
}
