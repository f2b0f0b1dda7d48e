//! Puts one of our operations into Burn's autodiff graph as a single node.
//!
//! Burn offers this through `Backward::prepare`; the functions here only spare each family the
//! branch on whether anything is tracked. Not here: any mathematics.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

/// A tensor of the autodiff backend over `B`: a primitive of `B` and its graph node.
pub(crate) type Tracked<B, C> = FloatTensor<Autodiff<B, C>>;

/// The float primitive inside `x`.
pub(crate) fn primitive<B: Backend, const D: usize>(x: Tensor<B, D>) -> FloatTensor<B> {
    x.into_primitive().tensor()
}

/// The tensor around a float primitive.
pub(crate) fn tensor<B: Backend, const D: usize>(x: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

/// Adds the node `operation` with these parents and this output; `state` is built only when a
/// parent is tracked. Nothing is recomputed in the backward pass, so the node is compute bound.
pub(crate) fn register<B, C, O, const N: usize>(
    operation: O,
    parents: [&Tracked<B, C>; N],
    output: FloatTensor<B>,
    state: impl FnOnce() -> O::State,
) -> Tracked<B, C>
where
    B: Backend,
    C: CheckpointStrategy,
    O: Backward<B, N>,
{
    let nodes = parents.map(|parent| parent.node.clone());
    match operation.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state(), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

/// The stand-in for an optional parent that is absent: nothing depends on it, and it takes no memory of its
/// own (an allocation of no bytes is one that GPU allocators refuse).
pub(crate) fn absent<B: Backend, C: CheckpointStrategy>(like: &Tracked<B, C>) -> Tracked<B, C> {
    Autodiff::<B, C>::from_inner(like.primitive.clone())
}
