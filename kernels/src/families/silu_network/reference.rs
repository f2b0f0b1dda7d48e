//! The network and its gradients in Burn operations, layer by layer.

use burn::tensor::Tensor;

use super::SiluNetwork;
use super::SiluNetworkKernels;
use crate::families::{linear, silu, slope};
use crate::{Half, Precision, WeightLayout};

/// Values and slopes `[P, I]` of one layer.
struct Curve<B: SiluNetworkKernels> {
    value: Tensor<B, 2>,
    slope: Tensor<B, 2>,
}

impl<B: SiluNetworkKernels> Curve<B> {
    fn of(curve: &Tensor<B, 3>) -> Self {
        let half = |half| slope::half(curve.clone(), half);
        Self { value: half(Half::Values), slope: half(Half::Slopes) }
    }

    fn stacked(self) -> Tensor<B, 3> {
        slope::from_half(self.value, Half::Values).add(slope::from_half(self.slope, Half::Slopes))
    }

    fn map(&self, f: impl Fn(Tensor<B, 2>) -> Tensor<B, 2>) -> Self {
        Self { value: f(self.value.clone()), slope: f(self.slope.clone()) }
    }

    /// Behind a layer.
    fn activated(&self) -> Self {
        let slope = silu::silu_slope(self.slope.clone(), self.value.clone());
        Self { value: silu::silu(self.value.clone()), slope }
    }

    /// The gradient before the activation, from that behind it.
    fn deactivated(&self, grad: Self) -> Self {
        let (u, t) = (&self.value, &self.slope);
        let bend = silu::silu_bend(t.clone(), grad.slope.clone(), u.clone());
        let value = silu::silu_slope(grad.value, u.clone()).add(bend);
        Self { value, slope: silu::silu_slope(grad.slope, u.clone()) }
    }
}

fn weight<B: SiluNetworkKernels>(
    flat: &Tensor<B, 1>,
    network: &SiluNetwork,
    layer: usize,
) -> Tensor<B, 2> {
    let weight = flat.clone().slice(network.range_of(layer)).reshape(network.shape_of(layer));
    weight.mul_scalar(network.factors[layer])
}

/// What every layer multiplies and makes of it: the input, then `u, t` of each.
fn layers<B: SiluNetworkKernels>(
    curve: &Tensor<B, 3>,
    weights: &Tensor<B, 1>,
    network: &SiluNetwork,
) -> Vec<Curve<B>> {
    let mut all = vec![Curve::of(curve)];
    for layer in 0..network.num_layers() {
        let x = &all[layer];
        let x = if layer == 0 { x.map(|half| half) } else { x.activated() };
        let weight = weight(weights, network, layer);
        let times =
            |half| linear::linear(half, weight.clone(), None, WeightLayout::InOut, Precision::Full);
        all.push(x.map(times));
    }
    all
}

/// `[2, P, I_0]` to `[2, P, I_D]`.
pub fn forward<B: SiluNetworkKernels>(
    curve: &Tensor<B, 3>,
    weights: &Tensor<B, 1>,
    network: &SiluNetwork,
) -> Tensor<B, 3> {
    let all = layers(curve, weights, network);
    all[network.num_layers()].activated().stacked()
}

/// Gradients of the curve and of the weights.
pub fn backward<B: SiluNetworkKernels>(
    grad: &Tensor<B, 3>,
    curve: &Tensor<B, 3>,
    weights: &Tensor<B, 1>,
    network: &SiluNetwork,
) -> (Tensor<B, 3>, Tensor<B, 1>) {
    let all = layers(curve, weights, network);
    let mut grad = Curve::of(grad);
    let mut of_weights = Vec::new();
    for layer in (0..network.num_layers()).rev() {
        grad = all[layer + 1].deactivated(grad);
        let x = if layer == 0 { all[0].map(|half| half) } else { all[layer].activated() };
        let part = |grad: &Tensor<B, 2>, x: Tensor<B, 2>| {
            linear::linear_weight_backward(grad.clone(), x, WeightLayout::InOut, Precision::Full)
        };
        let of_weight = part(&grad.value, x.value).add(part(&grad.slope, x.slope));
        let [inputs, outputs] = network.shape_of(layer);
        let of_weight = of_weight.mul_scalar(network.factors[layer]);
        of_weights.push(of_weight.reshape([inputs * outputs]));
        let weight = weight(weights, network, layer);
        grad = grad.map(|half| {
            linear::linear_input_backward(
                half,
                weight.clone(),
                WeightLayout::InOut,
                Precision::Full,
            )
        });
    }
    of_weights.reverse();
    (grad.stacked(), Tensor::cat(of_weights, 0))
}
