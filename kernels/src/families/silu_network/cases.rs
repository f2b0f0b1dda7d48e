//! Radial weights of all edges.

use super::{SiluNetwork, SiluNetworkKernels, roofline, silu_network, silu_network_backward};
use crate::cases::Arithmetic::{self, F32, F64};
use crate::cases::{Case, Place, Sizes};

pub(crate) fn cases<B: SiluNetworkKernels>(at: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let of = |it| both(sizes.atoms.rows(), it);
    at.can([F32, F64]).into_iter().flat_map(of).collect()
}

fn both<B: SiluNetworkKernels>(rows: usize, arithmetic: Arithmetic) -> [Case<B>; 2] {
    let network = SiluNetwork::new(vec![8, 64, 64, 64], vec![0.3, 0.12, 0.12]);
    let shape = format!("{rows} rows 8-64-64-64");
    let [forward, backward] =
        [roofline::forward, roofline::backward].map(|of| of(&network, rows, arithmetic.bytes()));
    let (first, second) = (network.clone(), network);
    let inputs = move |at: &Place<B>, network: &SiluNetwork| {
        let weights = at.normal([network.num_weights()], arithmetic);
        (at.normal([2, rows, 8], arithmetic), weights)
    };
    [
        Case::new("forward", shape.clone(), arithmetic, forward, move |at| {
            let ((curve, weights), network) = (inputs(at, &first), first.clone());
            move || silu_network(curve.clone(), weights.clone(), &network)
        }),
        Case::new("backward", shape, arithmetic, backward, move |at| {
            let ((curve, weights), network) = (inputs(at, &second), second.clone());
            let grad = at.normal([2, rows, 64], arithmetic);
            move || silu_network_backward(grad.clone(), curve.clone(), weights.clone(), &network)
        }),
    ]
}
