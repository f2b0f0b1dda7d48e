//! wgpu as a backend: Vulkan, Metal or DX12, in f32. Where it has a WGSL kernel of its own; what is absent
//! here is the reference. Matrix products are Burn's.

use burn::tensor::{Int, Tensor};

use crate::Wgpu;
use crate::families::{
    adamw, attention, contraction, convolution, cross_entropy, dropout, embedding, gelu, norm,
    precision, reduce, rotary, rows, silu, slope, spherical_harmonics, swiglu,
};
use crate::{
    AdamwStep, AmsgradState, AttentionProblem, ContractionProblem, ConvolutionProblem, DropoutMask,
    GeluKind, Kernels, LossAndGradients, Precision, RowIndex,
};

impl Kernels for Wgpu {
    fn own_kernels() -> Vec<&'static str> {
        crate::registry::overrides(include_str!("backend_wgpu.rs"))
    }

    fn round_to_bf16<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        precision::wgpu::round(x)
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        norm::wgpu::rms_norm(x, weight, epsilon)
    }

    fn rms_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        norm::wgpu::rms_norm_backward(grad, x, weight, epsilon)
    }

    fn layer_norm(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        bias: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Tensor<Self, 2> {
        norm::wgpu::layer_norm(x, weight, bias, epsilon)
    }

    fn layer_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>, Tensor<Self, 1>) {
        norm::wgpu::layer_norm_backward(grad, x, weight, epsilon)
    }

    fn rotary(x: Tensor<Self, 3>, cos: Tensor<Self, 2>, sin: Tensor<Self, 2>) -> Tensor<Self, 3> {
        rotary::wgpu::forward(x, cos, sin)
    }

    fn gelu(x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        gelu::wgpu::forward(x, kind)
    }

    fn gelu_backward(grad: Tensor<Self, 2>, x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        gelu::wgpu::backward(grad, x, kind)
    }

    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        swiglu::wgpu::forward(gate, up)
    }

    fn swiglu_backward(
        grad: Tensor<Self, 2>,
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        swiglu::wgpu::backward(grad, gate, up)
    }

    fn attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 2>) {
        attention::wgpu::forward(q, k, v, problem)
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
        attention::wgpu::backward(grad, [q, k, v], output, log_sum_exp, problem)
    }

    fn embedding(weight: Tensor<Self, 2>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
        embedding::wgpu::forward(weight, ids)
    }

    fn embedding_backward(
        grad: Tensor<Self, 2>,
        ids: Tensor<Self, 1, Int>,
        num_rows: usize,
    ) -> Tensor<Self, 2> {
        embedding::wgpu::backward(grad, &ids, num_rows)
    }

    fn linear_cross_entropy(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>) {
        let inputs = cross_entropy::wgpu::Inputs { hidden, weight, bias, labels, precision };
        cross_entropy::wgpu::forward(inputs)
    }

    fn linear_cross_entropy_gradients(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> LossAndGradients<Self> {
        let inputs = cross_entropy::wgpu::Inputs { hidden, weight, bias, labels, precision };
        cross_entropy::wgpu::with_gradients(inputs)
    }

    fn dropout(x: Tensor<Self, 2>, mask: &DropoutMask) -> Tensor<Self, 2> {
        dropout::wgpu::forward(x, mask)
    }

    fn adamw(
        param: Tensor<Self, 1>,
        grad: Tensor<Self, 1>,
        first: Tensor<Self, 1>,
        second: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>, Tensor<Self, 1>) {
        adamw::wgpu::step(param, grad, first, second, step)
    }

    fn amsgrad(
        state: AmsgradState<Self>,
        grad: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> AmsgradState<Self> {
        adamw::wgpu::amsgrad(state, grad, step)
    }

    fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
        reduce::wgpu::sum_of_squares(x)
    }

    fn spherical_harmonics(vectors: Tensor<Self, 2>, max_degree: usize) -> Tensor<Self, 2> {
        spherical_harmonics::wgpu::forward(vectors, max_degree)
    }

    fn spherical_harmonics_backward(
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        spherical_harmonics::wgpu::backward(grad, vectors)
    }

    fn spherical_harmonics_second(
        along: Tensor<Self, 2>,
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        spherical_harmonics::wgpu::second(along, grad, vectors)
    }

    fn convolution(
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::wgpu::forward(features, harmonics, radial, problem)
    }

    fn convolution_features(
        grad: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::wgpu::features(grad, harmonics, radial, problem)
    }

    fn convolution_harmonics(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 2> {
        convolution::wgpu::harmonics(grad, features, radial, problem)
    }

    fn convolution_radial(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::wgpu::radial(grad, features, harmonics, problem)
    }

    fn contraction(
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let call = contraction::wgpu::Call {
            x,
            along: None,
            grad: None,
            coefficients: Some(coefficients),
        };
        contraction::wgpu::outputs(call, problem)
    }

    fn contraction_input(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (grad, coefficients) = (Some(grad), Some(coefficients));
        contraction::wgpu::inputs(
            contraction::wgpu::Call { x, along: None, grad, coefficients },
            problem,
        )
    }

    fn contraction_coefficients(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let call = contraction::wgpu::Call { x, along: None, grad: Some(grad), coefficients: None };
        contraction::wgpu::coefficients(call, num_species, problem)
    }

    fn contraction_tangent(
        along: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, coefficients) = (Some(along), Some(coefficients));
        contraction::wgpu::outputs(
            contraction::wgpu::Call { x, along, grad: None, coefficients },
            problem,
        )
    }

    fn contraction_input_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, grad, coefficients) = (Some(along), Some(grad), Some(coefficients));
        contraction::wgpu::inputs(contraction::wgpu::Call { x, along, grad, coefficients }, problem)
    }

    fn contraction_coefficients_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, grad) = (Some(along), Some(grad));
        let call = contraction::wgpu::Call { x, along, grad, coefficients: None };
        contraction::wgpu::coefficients(call, num_species, problem)
    }

    fn gather_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::wgpu::gather(x, indices)
    }

    fn sum_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::wgpu::sum(x, indices)
    }

    fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::wgpu::forward(x)
    }

    fn silu_slope(along: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::wgpu::slope(along, x)
    }

    fn silu_bend(a: Tensor<Self, 2>, b: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::wgpu::bend(a, b, x)
    }

    fn dot_rows(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::wgpu::dot(a, b)
    }

    fn scale_rows(scales: Tensor<Self, 2>, a: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::wgpu::scale(scales, a)
    }
}
