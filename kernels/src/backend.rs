//! The trait a backend implements. For the CPU see `backend_cpu.rs`, for autodiff `backend_autodiff.rs`.
//!
//! Shapes, formulas and sources stand in the `mod.rs` of each family; here is only the list.
//! Default bodies are the references. An autodiff backend registers one graph node per call
//! whose backward calls the `*_backward` of the backend below it, so a kernel overrides both
//! directions. The backward defaults are themselves Burn operations: `Autodiff<Autodiff<B>>`
//! differentiates them again.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use crate::families::linear::WeightLayout;
use crate::families::precision::{self, Precision};
use crate::families::{
    adamw, attention, channel_linear, contraction, convolution, cross_entropy, dropout, embedding,
    gelu, linear, norm, radial_basis, reduce, rotary, row_mixing, rows, silu, silu_network, slope,
    spherical_harmonics, swiglu,
};
use crate::{
    AdamwStep, AmsgradState, AttentionProblem, Awake, ChannelLinear, ContractionProblem,
    ConvolutionProblem, DropoutMask, GeluKind, Half, LossAndGradients, RadialBasis, RowIndex,
    RowMixing, SiluNetwork,
};

/// Every operation of Genesis that Burn does not have, or that we want fused.
///
/// Letters: N tokens, S segments, H query heads, G key heads, D head width, C model width,
/// F feed-forward width, I and O inputs and outputs of a linear map, V vocabulary, P parameters.
pub trait Kernels: Backend {
    /// Operations that have a kernel of this backend; all others are the references.
    fn own_kernels() -> Vec<&'static str> {
        Vec::new()
    }

    /// Keeps the threads that run the operations awake for a step; see [`Awake`].
    fn keep_awake() -> Awake {
        Awake::none()
    }

    /// Nearest bf16 of every element, ties to even, in the dtype of `x`.
    /// See [`precision`](crate::families::precision).
    fn round_to_bf16<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        precision::round_by_cast(x)
    }

    /// `[N, I] -> [N, O]`. See [`linear`](crate::families::linear).
    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::reference::forward(x, weight, bias, layout, precision)
    }

    /// Gradient of the input alone. See [`linear`](crate::families::linear).
    fn linear_input_backward(
        grad: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::reference::input_backward(grad, weight, layout, precision)
    }

    /// `residual [N, O]` plus a linear map. See [`linear`](crate::families::linear).
    fn linear_residual(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::reference::residual(residual, x, weight, bias, layout, precision)
    }

    /// Gradient of the weight alone. See [`linear`](crate::families::linear).
    fn linear_weight_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        linear::reference::weight_backward(grad, x, layout, precision)
    }

    /// Gradients of input and weight; that of the bias is the column sum of `grad`.
    fn linear_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        let input =
            <Self as Kernels>::linear_input_backward(grad.clone(), weight, layout, precision);
        (input, <Self as Kernels>::linear_weight_backward(grad, x, layout, precision))
    }

    /// `[N, C] -> [N, C]`. See [`norm`](crate::families::norm).
    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        norm::reference::rms_norm(x, weight, epsilon)
    }

    /// Gradients of `x` and `weight`. See [`norm`](crate::families::norm).
    fn rms_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        norm::reference::rms_norm_backward(grad, x, weight, epsilon)
    }

    /// `[N, C] -> [N, C]`. See [`norm`](crate::families::norm).
    fn layer_norm(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        bias: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Tensor<Self, 2> {
        norm::reference::layer_norm(x, weight, bias, epsilon)
    }

    /// Gradients of `x`, `weight` and `bias`. See [`norm`](crate::families::norm).
    fn layer_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>, Tensor<Self, 1>) {
        norm::reference::layer_norm_backward(grad, x, weight, epsilon)
    }

    /// `[N, H, D] -> [N, H, D]`; `cos`, `sin` are `[N, D/2]`. See [`rotary`](crate::families::rotary).
    fn rotary(x: Tensor<Self, 3>, cos: Tensor<Self, 2>, sin: Tensor<Self, 2>) -> Tensor<Self, 3> {
        rotary::reference::forward(x, cos, sin)
    }

    /// Elementwise on `[N, C]`. See [`gelu`](crate::families::gelu).
    fn gelu(x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        gelu::reference::forward(x, kind)
    }

    /// Gradient of `x`. See [`gelu`](crate::families::gelu).
    fn gelu_backward(grad: Tensor<Self, 2>, x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        gelu::reference::backward(grad, x, kind)
    }

    /// `silu(gate) * up`, `[N, F]`. See [`swiglu`](crate::families::swiglu).
    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        swiglu::reference::forward(gate, up)
    }

    /// Gradients of `gate` and `up`. See [`swiglu`](crate::families::swiglu).
    fn swiglu_backward(
        grad: Tensor<Self, 2>,
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        swiglu::reference::backward(grad, gate, up)
    }

    /// `q [N, H, D]`, `k`, `v [M, G, D]` to `(output [N, H, D], log_sum_exp [N, H])`.
    /// The second carries no gradient. See [`attention`](crate::families::attention).
    fn attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 2>) {
        attention::reference::forward(q, k, v, problem)
    }

    /// Gradients of `q`, `k`, `v`. See [`attention`](crate::families::attention).
    fn attention_backward(
        grad: Tensor<Self, 3>,
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        output: Tensor<Self, 3>,
        log_sum_exp: Tensor<Self, 2>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 3>, Tensor<Self, 3>) {
        attention::reference::backward(grad, q, k, v, output, &log_sum_exp, problem)
    }

    /// Rows of `weight [V, C]` at `ids [N]`. See [`embedding`](crate::families::embedding).
    fn embedding(weight: Tensor<Self, 2>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
        embedding::reference::forward(weight, ids)
    }

    /// Gradient of the table of `num_rows` rows. See [`embedding`](crate::families::embedding).
    fn embedding_backward(
        grad: Tensor<Self, 2>,
        ids: Tensor<Self, 1, Int>,
        num_rows: usize,
    ) -> Tensor<Self, 2> {
        embedding::reference::backward(grad, ids, num_rows)
    }

    /// `hidden [N, C]`, `weight [V, C]`, `bias [V]`, `labels [N]` to
    /// `(loss_sum [1] in nats, log_sum_exp [N])`. The second carries no gradient.
    /// See [`cross_entropy`](crate::families::cross_entropy).
    fn linear_cross_entropy(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>) {
        cross_entropy::reference::forward(hidden, weight, bias, &labels, precision)
    }

    /// The same with the gradients of the loss. See [`cross_entropy`](crate::families::cross_entropy).
    fn linear_cross_entropy_gradients(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> LossAndGradients<Self> {
        cross_entropy::reference::with_gradients(hidden, weight, bias, &labels, precision)
    }

    /// `x factor`, with one number `factor [1]` that stays where it is.
    fn scale_by<const D: usize>(x: Tensor<Self, D>, factor: Tensor<Self, 1>) -> Tensor<Self, D> {
        x.mul(factor.unsqueeze())
    }

    /// Elements of `x` kept with probability `1 - rate` and scaled up. The backward is the same
    /// function of the gradient. See [`dropout`](crate::families::dropout).
    fn dropout(x: Tensor<Self, 2>, mask: &DropoutMask) -> Tensor<Self, 2> {
        dropout::reference::forward(x, mask)
    }

    /// One step on flat buffers `[P]`: `(parameters, first moments, second moments)`.
    /// See [`adamw`](crate::families::adamw).
    fn adamw(
        param: Tensor<Self, 1>,
        grad: Tensor<Self, 1>,
        first: Tensor<Self, 1>,
        second: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>, Tensor<Self, 1>) {
        adamw::reference::step(param, grad, first, second, step)
    }

    /// One step of Adam with AMSGrad and coupled decay. See [`adamw`](crate::families::adamw).
    fn amsgrad(
        state: AmsgradState<Self>,
        grad: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> AmsgradState<Self> {
        adamw::reference::amsgrad(state, grad, step)
    }

    /// Sum of squares of `x [P]`, `[1]`. See [`reduce`](crate::families::reduce).
    fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
        reduce::reference::sum_of_squares(x)
    }

    /// `vectors [E, 3]` to `[E, (max_degree + 1)^2]`, degrees 0 to 6.
    /// See [`spherical_harmonics`](crate::families::spherical_harmonics).
    fn spherical_harmonics(vectors: Tensor<Self, 2>, max_degree: usize) -> Tensor<Self, 2> {
        spherical_harmonics::reference::forward(vectors, max_degree)
    }

    /// Gradient of the vectors; the columns of `grad` say the degree.
    /// See [`spherical_harmonics`](crate::families::spherical_harmonics).
    fn spherical_harmonics_backward(
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        spherical_harmonics::reference::backward(&grad, vectors)
    }

    /// Change along `along [E, 3]` of the harmonics and of their gradient.
    /// See [`spherical_harmonics`](crate::families::spherical_harmonics).
    fn spherical_harmonics_second(
        along: Tensor<Self, 2>,
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        spherical_harmonics::reference::second(along, &grad, vectors)
    }

    /// `features [N, M_in, C]`, `harmonics [E, M_y]`, `radial [P, Q, C]` to `[N, M_out, C]`.
    /// See [`convolution`](crate::families::convolution).
    fn convolution(
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::reference::forward(features, &harmonics, &radial, problem)
    }

    /// Gradient of the features, `[N, M_in, C]`. See [`convolution`](crate::families::convolution).
    fn convolution_features(
        grad: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::reference::features(grad, &harmonics, &radial, problem)
    }

    /// Gradient of the harmonics, `[E, M_y]`. See [`convolution`](crate::families::convolution).
    fn convolution_harmonics(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 2> {
        convolution::reference::harmonics(grad, features, &radial, problem)
    }

    /// Gradient of the radial weights, `[P, Q, C]`. See [`convolution`](crate::families::convolution).
    fn convolution_radial(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        convolution::reference::radial(grad, features, &harmonics, problem)
    }

    /// `x [N, M, C]`, `coefficients [S, T, C]` to `[N, O, C]`.
    /// See [`contraction`](crate::families::contraction).
    fn contraction(
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::reference::forward(x, coefficients, problem)
    }

    /// Gradient of `x`. See [`contraction`](crate::families::contraction).
    fn contraction_input(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::reference::input(grad, x, coefficients, problem)
    }

    /// Gradient of the coefficients. See [`contraction`](crate::families::contraction).
    fn contraction_coefficients(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::reference::coefficients(grad, x, num_species, problem)
    }

    /// Change of the contraction along `along [N, M, C]`. See [`contraction`](crate::families::contraction).
    fn contraction_tangent(
        along: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::reference::tangent(along, x, coefficients, problem)
    }

    /// Change of the gradient of `x` along `along`. See [`contraction`](crate::families::contraction).
    fn contraction_input_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::reference::input_tangent(along, grad, x, coefficients, problem)
    }

    /// Change of the coefficients' gradient along `along`.
    /// See [`contraction`](crate::families::contraction).
    fn contraction_coefficients_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        contraction::reference::coefficients_tangent(along, grad, x, num_species, problem)
    }

    /// Rows of `x [N, K]` at the index, `[E, K]`. See [`rows`](crate::families::rows).
    fn gather_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::reference::gather(x, indices)
    }

    /// Rows of `x [E, K]` summed by the index, `[N, K]`. See [`rows`](crate::families::rows).
    fn sum_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        rows::reference::sum(x, indices)
    }

    /// `x s(x)`, elementwise on `[N, C]`. See [`silu`](crate::families::silu).
    fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::reference::forward(x)
    }

    /// Change along `along`, and with a gradient in its place that of `x`. See [`silu`](crate::families::silu).
    fn silu_slope(along: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::reference::slope(along, x)
    }

    /// Second derivative times both directions. See [`silu`](crate::families::silu).
    fn silu_bend(a: Tensor<Self, 2>, b: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        silu::reference::bend(a, b, x)
    }

    /// `[S, K, C] -> [S', T, C]`. See [`row_mixing`](crate::families::row_mixing).
    fn mix_rows(weights: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
        row_mixing::reference::forward(&weights, mixing)
    }

    /// Gradient of the tables. See [`row_mixing`](crate::families::row_mixing).
    fn mix_rows_backward(grad: Tensor<Self, 3>, mixing: &RowMixing) -> Tensor<Self, 3> {
        row_mixing::reference::backward(&grad, mixing)
    }

    /// `[N, M, C] -> [N, (max l + 1)^2, C]`. See [`channel_linear`](crate::families::channel_linear).
    fn channel_linear(
        x: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        channel_linear::reference::forward(&x, &weights, map)
    }

    /// Gradient of x, of `num_rows` rows a node. See [`channel_linear`](crate::families::channel_linear).
    fn channel_linear_input(
        grad: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        num_rows: usize,
        map: &ChannelLinear,
    ) -> Tensor<Self, 3> {
        channel_linear::reference::input(&grad, &weights, num_rows, map)
    }

    /// Gradient of the weights. See [`channel_linear`](crate::families::channel_linear).
    fn channel_linear_weight(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        map: &ChannelLinear,
    ) -> Tensor<Self, 1> {
        channel_linear::reference::weight(&grad, &x, map)
    }

    /// `[2, P, I_0] -> [2, P, I_D]`, values and slopes. See [`silu_network`](crate::families::silu_network).
    fn silu_network(
        curve: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        network: &SiluNetwork,
    ) -> Tensor<Self, 3> {
        silu_network::reference::forward(&curve, &weights, network)
    }

    /// Gradients of the curve and the weights. See [`silu_network`](crate::families::silu_network).
    fn silu_network_backward(
        grad: Tensor<Self, 3>,
        curve: Tensor<Self, 3>,
        weights: Tensor<Self, 1>,
        network: &SiluNetwork,
    ) -> (Tensor<Self, 3>, Tensor<Self, 1>) {
        silu_network::reference::backward(&grad, &curve, &weights, network)
    }

    /// Bessel functions under a cut-off, `[P, 1] -> [2, P, K]`. See [`radial_basis`](crate::families::radial_basis).
    fn radial_basis(lengths: Tensor<Self, 2>, basis: &RadialBasis) -> Tensor<Self, 3> {
        radial_basis::reference::forward(&lengths, basis)
    }

    /// Values or slopes of a curve, `[2, P, K] -> [P, K]`. See [`slope`](crate::families::slope).
    fn half(curve: Tensor<Self, 3>, half: Half) -> Tensor<Self, 2> {
        slope::reference::half(&curve, half)
    }

    /// A curve with this half, the other zero. See [`slope`](crate::families::slope).
    fn from_half(x: Tensor<Self, 2>, half: Half) -> Tensor<Self, 3> {
        slope::reference::from_half(x, half)
    }

    /// `values [P, K]` as a function of `x [P, 1]` with these slopes. See [`slope`](crate::families::slope).
    fn follow(
        x: Tensor<Self, 2>,
        values: Tensor<Self, 2>,
        slopes: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        slope::reference::follow(&x, values, &slopes)
    }

    /// Dot products of rows, `[P, K]` twice to `[P, 1]`. See [`slope`](crate::families::slope).
    fn dot_rows(a: Tensor<Self, 2>, b: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::reference::dot(a, b)
    }

    /// Multiples of rows, `scales [P, 1]`, `a [P, K]`. See [`slope`](crate::families::slope).
    fn scale_rows(scales: Tensor<Self, 2>, a: Tensor<Self, 2>) -> Tensor<Self, 2> {
        slope::reference::scale(scales, a)
    }
}
