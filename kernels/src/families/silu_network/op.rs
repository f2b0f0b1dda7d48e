//! The network as one node of the autodiff graph.
//!
//! Inside a second graph its backward is Burn operations and our own of single layers, which
//! differentiate to any order.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::SiluNetwork;
use super::SiluNetworkKernels;
use crate::graph::{primitive, register, tensor};

#[derive(Debug)]
struct Network;

#[derive(Debug, Clone)]
struct Saved<F> {
    curve: F,
    weights: F,
    network: SiluNetwork,
}

impl<B: SiluNetworkKernels> Backward<B, 2> for Network {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(grads.consume::<B>(&ops.node));
        let Saved { curve, weights, network } = ops.state;
        let (curve, weights) = (tensor(curve), tensor(weights));
        let (of_curve, of_weights) =
            super::silu_network_backward::<B>(grad, curve, weights, &network);
        let [curve_node, weights_node] = ops.parents;
        if let Some(node) = curve_node {
            grads.register::<B>(node.id, primitive(of_curve));
        }
        if let Some(node) = weights_node {
            grads.register::<B>(node.id, primitive(of_weights));
        }
    }
}

/// [`silu_network`](fn@crate::families::silu_network::silu_network) inside a graph.
pub(crate) fn tracked<B: SiluNetworkKernels, C: CheckpointStrategy>(
    curve: Tensor<Autodiff<B, C>, 3>,
    weights: Tensor<Autodiff<B, C>, 1>,
    network: &SiluNetwork,
) -> Tensor<Autodiff<B, C>, 3> {
    let (curve, weights) = (primitive(curve), primitive(weights));
    let [x, w] = [&curve, &weights].map(|part| part.primitive.clone());
    let y = primitive(super::silu_network::<B>(tensor(x.clone()), tensor(w.clone()), network));
    let state = || Saved { curve: x, weights: w, network: network.clone() };
    tensor(register::<B, C, _, 2>(Network, [&curve, &weights], y, state))
}
