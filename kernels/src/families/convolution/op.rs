//! The four forms as one kind of node: each is the multilinear form with one slot open.
//!
//! The upstream gradient takes the place of the open slot; the gradient of a parent is the form
//! with that parent's slot open instead. So each backward calls forms of the backend below, which
//! may itself record nodes: nesting works to any order. Forms of untracked parents are not made.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::ConvolutionKernels;
use super::ConvolutionProblem;
use crate::graph::{Tracked, primitive, register, tensor};

/// A slot of the form `F(grad; features, harmonics, radial)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Grad,
    Features,
    Harmonics,
    Radial,
}

impl Slot {
    /// The three slots beside this one, in order.
    fn others(self) -> [Self; 3] {
        match self {
            Self::Grad => [Self::Features, Self::Harmonics, Self::Radial],
            Self::Features => [Self::Grad, Self::Harmonics, Self::Radial],
            Self::Harmonics => [Self::Grad, Self::Features, Self::Radial],
            Self::Radial => [Self::Grad, Self::Features, Self::Harmonics],
        }
    }
}

#[derive(Debug)]
struct Form {
    open: Slot,
}

#[derive(Debug, Clone)]
struct Saved<F> {
    others: [F; 3],
    problem: ConvolutionProblem,
}

impl<B: ConvolutionKernels> Backward<B, 3> for Form {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let Saved { others, problem } = ops.state;
        let slots = self.open.others();
        for (slot, node) in slots.into_iter().zip(ops.parents) {
            let Some(node) = node else { continue };
            let value = |wanted: Slot| {
                let place = slots.iter().position(|&other| other == wanted);
                place.map_or_else(|| upstream.clone(), |at| others[at].clone())
            };
            let grad = form::<B>(slot, slot.others().map(value), &problem);
            grads.register::<B>(node.id, grad);
        }
    }
}

/// The form with `open` open, of its other slots in order.
fn form<B: ConvolutionKernels>(
    open: Slot,
    [a, b, c]: [FloatTensor<B>; 3],
    problem: &ConvolutionProblem,
) -> FloatTensor<B> {
    match open {
        Slot::Grad => primitive(super::convolution::<B>(tensor(a), tensor(b), tensor(c), problem)),
        Slot::Features => {
            primitive(super::convolution_features::<B>(tensor(a), tensor(b), tensor(c), problem))
        }
        Slot::Harmonics => {
            primitive(super::convolution_harmonics::<B>(tensor(a), tensor(b), tensor(c), problem))
        }
        Slot::Radial => {
            primitive(super::convolution_radial::<B>(tensor(a), tensor(b), tensor(c), problem))
        }
    }
}

/// The form with `open` open inside a graph, of its other slots in order.
pub(crate) fn tracked<B, C, const I: usize, const J: usize, const K: usize, const D: usize>(
    open: Slot,
    first: Tensor<Autodiff<B, C>, I>,
    second: Tensor<Autodiff<B, C>, J>,
    third: Tensor<Autodiff<B, C>, K>,
    problem: &ConvolutionProblem,
) -> Tensor<Autodiff<B, C>, D>
where
    B: ConvolutionKernels,
    C: CheckpointStrategy,
{
    let parents: [Tracked<B, C>; 3] = [primitive(first), primitive(second), primitive(third)];
    let others = [0, 1, 2].map(|at: usize| parents[at].primitive.clone());
    let output = form::<B>(open, others.clone(), problem);
    let state = || Saved { others, problem: problem.clone() };
    let [first, second, third] = &parents;
    tensor(register::<B, C, _, 3>(Form { open }, [first, second, third], output, state))
}
