//! The three forms as one kind of node: each is the trilinear form with one slot open.
//!
//! The upstream gradient takes the place of the open slot; the gradient of a parent is the form
//! with that parent's slot open instead. Each backward calls forms of the backend below, which may
//! record nodes itself, so nesting works to any order.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::ChannelLinear;
use super::ChannelLinearKernels;
use crate::graph::{Tracked, primitive, register, tensor};

/// A slot of the form `<grad, y(input, weights)>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Grad,
    Input,
    Weights,
}

impl Slot {
    /// The two slots beside this one, in order.
    fn others(self) -> [Self; 2] {
        match self {
            Self::Grad => [Self::Input, Self::Weights],
            Self::Input => [Self::Grad, Self::Weights],
            Self::Weights => [Self::Grad, Self::Input],
        }
    }
}

#[derive(Debug)]
struct Form {
    open: Slot,
}

#[derive(Debug, Clone)]
struct Saved<F> {
    /// Only where a gradient needs it.
    others: [Option<F>; 2],
    /// Rows of an input.
    num_rows: usize,
    map: ChannelLinear,
}

impl<B: ChannelLinearKernels> Backward<B, 2> for Form {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let Saved { others, num_rows, map } = ops.state;
        let slots = self.open.others();
        for (at, node) in ops.parents.into_iter().enumerate() {
            let (Some(node), Some(other)) = (node, others[1 - at].clone()) else { continue };
            let first = slots[at].others()[0] == self.open;
            let pair = if first { [upstream.clone(), other] } else { [other, upstream.clone()] };
            let grad = form::<B>(slots[at], pair, num_rows, &map);
            grads.register::<B>(node.id, grad);
        }
    }
}

/// The form with `open` open, of its other slots in order.
fn form<B: ChannelLinearKernels>(
    open: Slot,
    [a, b]: [FloatTensor<B>; 2],
    num_rows: usize,
    map: &ChannelLinear,
) -> FloatTensor<B> {
    match open {
        Slot::Grad => primitive(super::channel_linear::<B>(tensor(a), tensor(b), map)),
        Slot::Input => {
            primitive(super::channel_linear_input::<B>(tensor(a), tensor(b), num_rows, map))
        }
        Slot::Weights => primitive(super::channel_linear_weight::<B>(tensor(a), tensor(b), map)),
    }
}

/// The form with `open` open inside a graph, of its other slots in order.
pub(crate) fn tracked<B, C, const I: usize, const J: usize, const D: usize>(
    open: Slot,
    first: Tensor<Autodiff<B, C>, I>,
    second: Tensor<Autodiff<B, C>, J>,
    num_rows: usize,
    map: &ChannelLinear,
) -> Tensor<Autodiff<B, C>, D>
where
    B: ChannelLinearKernels,
    C: CheckpointStrategy,
{
    let parents: [Tracked<B, C>; 2] = [primitive(first), primitive(second)];
    let values = [0, 1].map(|at: usize| parents[at].primitive.clone());
    let output = form::<B>(open, values.clone(), num_rows, map);
    let [first, second] = &parents;
    let state = || {
        let [a, b] = values;
        let others = [second.is_tracked().then_some(a), first.is_tracked().then_some(b)];
        Saved { others, num_rows, map: map.clone() }
    };
    tensor(register::<B, C, _, 2>(Form { open }, [first, second], output, state))
}
