//! Autodiff over any backend: one node of the graph per operation. Operations absent here are never
//! differentiated, or are Burn operations again inside the graph, which differentiate by themselves.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::tensor::{Int, Tensor};

use crate::families::convolution::Slot;
use crate::families::linear::WeightLayout;
use crate::families::precision::{self, Precision};
use crate::families::{
    attention, channel_linear, contraction, convolution, cross_entropy, dropout, embedding, gelu,
    linear, norm, radial_basis, rotary, row_mixing, rows, silu, silu_network, slope,
    spherical_harmonics, swiglu,
};
use crate::{
    AttentionProblem, ChannelLinear, ContractionProblem, ConvolutionProblem, DropoutMask, GeluKind,
    Half, Kernels, RadialBasis, RowIndex, RowMixing, SiluNetwork,
};

impl<B: Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn round_to_bf16<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        precision::round_tracked(x)
    }

    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::tracked(x, weight, bias, layout, precision)
    }

    fn linear_residual(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::residual_tracked(residual, x, weight, bias, layout, precision)
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        norm::rms_norm_tracked(x, weight, epsilon)
    }

    fn layer_norm(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        bias: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Tensor<Self, 2> {
        norm::layer_norm_tracked(x, weight, bias, epsilon)
    }

    fn rotary(x: Tensor<Self, 3>, cos: Tensor<Self, 2>, sin: Tensor<Self, 2>) -> Tensor<Self, 3> {
        rotary::tracked(x, cos, sin)
    }

    fn gelu(x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        gelu::tracked(x, kind)
    }

    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        swiglu::tracked(gate, up)
    }

    fn attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 2>) {
        attention::tracked(q, k, v, problem)
    }

    fn embedding(weight: Tensor<Self, 2>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
        embedding::tracked(weight, ids)
    }

    fn linear_cross_entropy(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>) {
        cross_entropy::tracked(hidden, weight, bias, labels, precision)
    }

    fn dropout(x: Tensor<Self, 2>, mask: &DropoutMask) -> Tensor<Self, 2> {
        dropout::tracked(x, mask)
    }

    fn spherical_harmonics(vectors: Tensor<Self, 2>, max_degree: usize) -> Tensor<Self, 2> {
        spherical_harmonics::tracked(vectors, max_degree)
    }

    fn spherical_harmonics_backward(
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        spherical_harmonics::backward_tracked(grad, vectors)
    }

    fn convolution(
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::tracked(Slot::Grad, features, harmonics, radial, problem)
    }

    fn convolution_features(
        grad: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::tracked(Slot::Features, grad, harmonics, radial, problem)
    }

    fn convolution_harmonics(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 2> {
        convolution::tracked(Slot::Harmonics, grad, features, radial, problem)
    }

    fn convolution_radial(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::tracked(Slot::Radial, grad, features, harmonics, problem)
    }

    fn contraction(
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::tracked(x, coefficients, problem)
    }

    fn contraction_input(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::input_tracked(grad, x, coefficients, problem)
    }

    fn contraction_coefficients(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::coefficients_tracked(grad, x, num_species, problem)
    }

    fn gather_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::gather_tracked(x, indices)
    }

    fn sum_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::sum_tracked(x, indices)
    }

    fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::tracked(x)
    }

    fn silu_slope(along: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::slope_tracked(along, x)
    }

    fn mix_rows(weights: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
        row_mixing::tracked(weights, mixing)
    }

    fn mix_rows_backward(grad: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
        row_mixing::backward_tracked(grad, mixing)
    }

    fn channel_linear(
        x: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        let num_rows = x.dims()[1];
        channel_linear::tracked(channel_linear::Slot::Grad, x, weights, num_rows, map)
    }

    fn channel_linear_input(
        grad: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        num_rows: usize,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        channel_linear::tracked(channel_linear::Slot::Input, grad, weights, num_rows, map)
    }

    fn channel_linear_weight(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 1> {
        let num_rows = x.dims()[1];
        channel_linear::tracked(channel_linear::Slot::Weights, grad, x, num_rows, map)
    }

    fn silu_network(
        curve: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        network: &SiluNetwork,
    ) -> Tensor<Self, 3> {
        silu_network::tracked(curve, weights, network)
    }

    fn half(curve: Tensor<Self, 3>, half: Half) -> Tensor<Self, 2> {
        slope::half_tracked(curve, half)
    }

    fn from_half(x: Tensor<Self, 2>, half: Half) -> Tensor<Self, 3> {
        slope::from_half_tracked(x, half)
    }

    fn follow(
        x: Tensor<Self, 2>,
        values: Tensor<Self, 2>,
        slopes: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        slope::follow_tracked(x, values, slopes)
    }

    fn radial_basis(lengths: Tensor<Self, 2>, basis: &RadialBasis) -> Tensor<Self, 3> {
        radial_basis::tracked(lengths, basis)
    }

    fn dot_rows(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::dot_tracked(a, b)
    }

    fn scale_rows(scales: Tensor<Self, 2>, a: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::scale_tracked(scales, a)
    }
}
