//! The CPU as a backend: where it has a kernel of its own. What is absent here is the reference.

use burn::backend::Flex;
use burn::tensor::{ElementConversion, Int, Tensor};

use crate::families::{
    adamw, attention, channel_linear, contraction, convolution, cross_entropy, dropout, embedding,
    gelu, linear, norm, precision, radial_basis, reduce, rotary, row_mixing, rows, silu,
    silu_network, slope, spherical_harmonics, swiglu,
};
use crate::{
    AdamwStep, AmsgradState, AttentionProblem, Awake, ChannelLinear, ContractionProblem,
    ConvolutionProblem, DropoutMask, GeluKind, Half, Kernels, LossAndGradients, Precision,
    RadialBasis, RowIndex, RowMixing, SiluNetwork, WeightLayout,
};

impl Kernels for Flex {
    fn own_kernels() -> Vec<&'static str> {
        crate::registry::overrides(include_str!("backend_cpu.rs"))
    }

    fn keep_awake() -> Awake {
        Awake::pool()
    }

    fn round_to_bf16<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        precision::round_on_cpu(x)
    }

    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::cpu::forward(x, weight, bias, layout, precision)
    }

    fn linear_residual(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::cpu::residual(residual, x, weight, bias, layout, precision)
    }

    fn linear_input_backward(
        grad: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::cpu::input_backward(grad, weight, layout, precision)
    }

    fn linear_weight_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::cpu::weight_backward(grad, x, layout, precision)
    }

    fn attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 2>) {
        attention::cpu::forward(q, k, v, problem)
    }

    fn attention_backward(
        grad: Tensor<Self, 3>,
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        output: Tensor<Self, 3>,
        log_sum_exp: Tensor<Self, 2>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 3>, Tensor<Self, 3>) {
        attention::cpu::backward(grad, [q, k, v], output, log_sum_exp, problem)
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        norm::cpu::rms_norm(x, weight, epsilon)
    }

    fn rms_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        norm::cpu::rms_norm_backward(grad, x, weight, epsilon)
    }

    fn layer_norm(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        bias: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Tensor<Self, 2> {
        norm::cpu::layer_norm(x, weight, bias, epsilon)
    }

    fn layer_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>, Tensor<Self, 1>) {
        norm::cpu::layer_norm_backward(grad, x, weight, epsilon)
    }

    fn rotary(x: Tensor<Self, 3>, cos: Tensor<Self, 2>, sin: Tensor<Self, 2>) -> Tensor<Self, 3> {
        rotary::cpu::forward(x, cos, sin)
    }

    fn embedding_backward(
        grad: Tensor<Self, 2>,
        ids: Tensor<Self, 1, Int>,
        num_rows: usize,
    ) -> Tensor<Self, 2> {
        embedding::cpu::backward(grad, &ids, num_rows)
    }

    fn linear_cross_entropy(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>) {
        let inputs = cross_entropy::cpu::Inputs { hidden, weight, bias, labels, precision };
        cross_entropy::cpu::forward(inputs)
    }

    fn linear_cross_entropy_gradients(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> LossAndGradients<Self> {
        let inputs = cross_entropy::cpu::Inputs { hidden, weight, bias, labels, precision };
        cross_entropy::cpu::with_gradients(inputs)
    }

    fn scale_by<const D: usize>(x: Tensor<Self, D>, factor: Tensor<Self, 1>) -> Tensor<Self, D> {
        let factor: f64 = factor.into_scalar().elem();
        x.mul_scalar(factor)
    }

    fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
        reduce::cpu::sum_of_squares(x)
    }

    fn gelu(x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        gelu::cpu::forward(x, kind)
    }

    fn gelu_backward(grad: Tensor<Self, 2>, x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        gelu::cpu::backward(grad, x, kind)
    }

    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        swiglu::cpu::forward(gate, up)
    }

    fn swiglu_backward(
        grad: Tensor<Self, 2>,
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        swiglu::cpu::backward(grad, gate, up)
    }

    fn adamw(
        param: Tensor<Self, 1>,
        grad: Tensor<Self, 1>,
        first: Tensor<Self, 1>,
        second: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>, Tensor<Self, 1>) {
        adamw::cpu::step(param, grad, first, second, step)
    }

    fn amsgrad(
        state: AmsgradState<Self>,
        grad: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> AmsgradState<Self> {
        adamw::cpu::amsgrad(state, grad, step)
    }

    fn spherical_harmonics(vectors: Tensor<Self, 2>, max_degree: usize) -> Tensor<Self, 2> {
        spherical_harmonics::cpu::forward(vectors, max_degree)
    }

    fn spherical_harmonics_backward(
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        spherical_harmonics::cpu::backward(grad, vectors)
    }

    fn spherical_harmonics_second(
        along: Tensor<Self, 2>,
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        spherical_harmonics::cpu::second(along, grad, vectors)
    }

    fn convolution(
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::cpu::forward(features, harmonics, radial, problem)
    }

    fn convolution_features(
        grad: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::cpu::features(grad, harmonics, radial, problem)
    }

    fn convolution_harmonics(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 2> {
        convolution::cpu::harmonics(grad, features, radial, problem)
    }

    fn convolution_radial(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::cpu::radial(grad, features, harmonics, problem)
    }

    fn contraction(
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::cpu::forward(x, coefficients, problem)
    }

    fn contraction_input(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::cpu::input_gradient(grad, x, coefficients, problem)
    }

    fn contraction_coefficients(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::cpu::coefficients(grad, x, num_species, problem)
    }

    fn contraction_tangent(
        along: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::cpu::tangent(along, x, coefficients, problem)
    }

    fn contraction_input_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::cpu::input_tangent(along, grad, x, coefficients, problem)
    }

    fn contraction_coefficients_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::cpu::coefficients_tangent(along, grad, x, num_species, problem)
    }

    fn gather_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::cpu::gather(x, indices)
    }

    fn sum_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::cpu::sum(x, indices)
    }

    fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::cpu::forward(x)
    }

    fn silu_slope(along: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::cpu::slope(along, x)
    }

    fn silu_bend(a: Tensor<Self, 2>, b: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::cpu::bend(a, b, x)
    }

    fn mix_rows(weights: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
        row_mixing::cpu::forward(weights, mixing)
    }

    fn mix_rows_backward(grad: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
        row_mixing::cpu::backward(grad, mixing)
    }

    fn dropout(x: Tensor<Self, 2>, mask: &DropoutMask) -> Tensor<Self, 2> {
        dropout::cpu::forward(x, mask)
    }

    fn channel_linear(
        x: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        channel_linear::cpu::forward(x, weights, map)
    }

    fn channel_linear_input(
        grad: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        num_rows: usize,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        channel_linear::cpu::input(grad, weights, num_rows, map)
    }

    fn channel_linear_weight(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 1> {
        channel_linear::cpu::weight(grad, x, map)
    }

    fn silu_network(
        curve: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        network: &SiluNetwork,
    ) -> Tensor<Self, 3> {
        silu_network::cpu::forward(curve, weights, network)
    }

    fn silu_network_backward(
        grad: Tensor<Self, 3>,
        curve: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        network: &SiluNetwork,
    ) -> (Tensor<Self, 3>, Tensor<Self, 1>) {
        silu_network::cpu::backward(grad, curve, weights, network)
    }

    fn half(curve: Tensor<Self, 3>, half: Half) -> Tensor<Self, 2> {
        slope::cpu::half(curve, half)
    }

    fn from_half(x: Tensor<Self, 2>, half: Half) -> Tensor<Self, 3> {
        slope::cpu::from_half(x, half)
    }

    fn radial_basis(lengths: Tensor<Self, 2>, basis: &RadialBasis) -> Tensor<Self, 3> {
        radial_basis::cpu::forward(lengths, basis)
    }

    fn dot_rows(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::cpu::dot(a, b)
    }

    fn scale_rows(scales: Tensor<Self, 2>, a: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::cpu::scale(scales, a)
    }
}
