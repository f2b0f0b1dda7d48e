//! CUDA as a backend: where it has a kernel of its own. What is absent here is the reference.

use burn::tensor::{Int, Tensor};

use crate::Cuda;
use crate::families::linear::WeightLayout;
use crate::machine::cuda::tensors::contraction::Contraction;
use crate::machine::cuda::tensors::{
    attention, channel_linear, convolution, cross_entropy, elementwise, embedding, harmonics,
    linear, norm, optimizer, rotary, rows, slope,
};
use crate::{
    AdamwStep, AmsgradState, AttentionProblem, ChannelLinear, ContractionProblem,
    ConvolutionProblem, DropoutMask, GeluKind, Kernels, LossAndGradients, Precision, RowIndex,
};

impl Kernels for Cuda {
    fn own_kernels() -> Vec<&'static str> {
        crate::registry::overrides(include_str!("backend_cuda.rs"))
    }

    fn round_to_bf16<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::round_to_bf16(x)
    }

    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::forward(x, weight, bias, layout, precision)
    }

    fn linear_residual(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::residual(residual, x, weight, bias, layout, precision)
    }

    fn linear_input_backward(
        grad: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::input_backward(grad, weight, layout, precision)
    }

    fn linear_weight_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::weight_backward(grad, x, layout, precision)
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        norm::rms_norm(x, weight, epsilon)
    }

    fn rms_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        norm::rms_norm_backward(grad, x, weight, epsilon)
    }

    fn layer_norm(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        bias: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Tensor<Self, 2> {
        norm::layer_norm(x, weight, bias, epsilon)
    }

    fn layer_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>, Tensor<Self, 1>) {
        norm::layer_norm_backward(grad, x, weight, epsilon)
    }

    fn rotary(x: Tensor<Self, 3>, cos: Tensor<Self, 2>, sin: Tensor<Self, 2>) -> Tensor<Self, 3> {
        rotary::forward(x, cos, sin)
    }

    fn gelu(x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        elementwise::gelu(x, kind)
    }

    fn gelu_backward(grad: Tensor<Self, 2>, x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        elementwise::gelu_backward(grad, x, kind)
    }

    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        elementwise::swiglu(gate, up)
    }

    fn swiglu_backward(
        grad: Tensor<Self, 2>,
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        elementwise::swiglu_backward(grad, gate, up)
    }

    fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        elementwise::silu(x)
    }

    fn silu_slope(along: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        elementwise::silu_slope(along, x)
    }

    fn silu_bend(a: Tensor<Self, 2>, b: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        elementwise::silu_bend(a, b, x)
    }

    fn dropout(x: Tensor<Self, 2>, mask: &DropoutMask) -> Tensor<Self, 2> {
        elementwise::dropout(x, mask)
    }

    fn attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 2>) {
        attention::forward(q, k, v, problem)
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
        attention::backward(grad, q, k, v, output, log_sum_exp, problem)
    }

    fn embedding(weight: Tensor<Self, 2>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
        embedding::forward(weight, ids)
    }

    fn embedding_backward(
        grad: Tensor<Self, 2>,
        ids: Tensor<Self, 1, Int>,
        num_rows: usize,
    ) -> Tensor<Self, 2> {
        embedding::backward(grad, ids, num_rows)
    }

    fn linear_cross_entropy(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>) {
        cross_entropy::forward(hidden, weight, bias, labels, precision)
    }

    fn linear_cross_entropy_gradients(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> LossAndGradients<Self> {
        cross_entropy::with_gradients(hidden, weight, bias, labels, precision)
    }

    fn adamw(
        param: Tensor<Self, 1>,
        grad: Tensor<Self, 1>,
        first: Tensor<Self, 1>,
        second: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>, Tensor<Self, 1>) {
        optimizer::adamw(param, grad, first, second, step)
    }

    fn amsgrad(
        state: AmsgradState<Self>,
        grad: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> AmsgradState<Self> {
        optimizer::amsgrad(state, grad, step)
    }

    fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
        optimizer::sum_of_squares(x)
    }

    fn spherical_harmonics(vectors: Tensor<Self, 2>, max_degree: usize) -> Tensor<Self, 2> {
        harmonics::forward(vectors, max_degree)
    }

    fn spherical_harmonics_backward(
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        harmonics::backward(grad, vectors)
    }

    fn spherical_harmonics_second(
        along: Tensor<Self, 2>,
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        harmonics::second(along, grad, vectors)
    }

    fn convolution(
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::forward(features, harmonics, radial, problem)
    }

    fn convolution_features(
        grad: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::features(grad, harmonics, radial, problem)
    }

    fn convolution_harmonics(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 2> {
        convolution::harmonics(grad, features, radial, problem)
    }

    fn convolution_radial(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::radial(grad, features, harmonics, problem)
    }

    fn contraction(
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let coefficients = Some(coefficients);
        Contraction { x, along: None, grad: None, coefficients }.outputs(problem)
    }

    fn contraction_input(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (grad, coefficients) = (Some(grad), Some(coefficients));
        Contraction { x, along: None, grad, coefficients }.inputs(problem)
    }

    fn contraction_coefficients(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let call = Contraction { x, along: None, grad: Some(grad), coefficients: None };
        call.table(num_species, problem)
    }

    fn contraction_tangent(
        along: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, coefficients) = (Some(along), Some(coefficients));
        Contraction { x, along, grad: None, coefficients }.outputs(problem)
    }

    fn contraction_input_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, grad, coefficients) = (Some(along), Some(grad), Some(coefficients));
        Contraction { x, along, grad, coefficients }.inputs(problem)
    }

    fn contraction_coefficients_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, grad) = (Some(along), Some(grad));
        Contraction { x, along, grad, coefficients: None }.table(num_species, problem)
    }

    fn gather_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::gather(x, indices)
    }

    fn sum_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::sum(x, indices)
    }

    fn channel_linear(
        x: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        channel_linear::forward(x, weights, map)
    }

    fn channel_linear_input(
        grad: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        num_rows: usize,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        channel_linear::input(grad, weights, num_rows, map)
    }

    fn channel_linear_weight(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 1> {
        channel_linear::weight(grad, x, map)
    }

    fn dot_rows(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::dot(a, b)
    }

    fn scale_rows(scales: Tensor<Self, 2>, a: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::scale(scales, a)
    }
}
