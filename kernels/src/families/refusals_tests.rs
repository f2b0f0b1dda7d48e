//! Every operation refuses a wrong shape, with the shape it got and the one it wants.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::adamw::{AdamwStep, AmsgradState, adamw, amsgrad};
use super::attention::{AttentionProblem, attention, attention_backward};
use super::channel_linear::{self, ChannelLinear, DegreeMap};
use super::contraction::{self, ContractionProblem, Term, Terms};
use super::convolution::{self, ConvolutionProblem, EdgeGraph, Paths};
use super::cross_entropy::{linear_cross_entropy, linear_cross_entropy_gradients, scale_by};
use super::embedding::embedding_backward;
use super::gelu::{GeluKind, gelu_backward};
use super::linear::{self, WeightLayout};
use super::norm::{layer_norm, layer_norm_backward, rms_norm, rms_norm_backward};
use super::precision::Precision;
use super::radial_basis::{RadialBasis, radial_basis};
use super::rotary::rotary;
use super::row_mixing::{MixingMatrix, RowMixing, mix_rows, mix_rows_backward};
use super::rows::{RowIndex, gather_rows, sum_rows};
use super::silu::{silu_bend, silu_slope};
use super::silu_network::{SiluNetwork, silu_network, silu_network_backward};
use super::slope::{Half, dot_rows, follow, half, scale_rows};
use super::spherical_harmonics as harmonics;
use super::swiglu::{swiglu, swiglu_backward};
use super::{FAMILIES, operations};
use crate::Cpu;
use crate::testing::ints;

/// Operations of one tensor, whatever its shape.
const ANY_SHAPE: [&str; 7] =
    ["dropout", "embedding", "from_half", "gelu", "round_to_bf16", "silu", "sum_of_squares"];

/// A call with a wrong shape, and how its refusal begins.
type Refusal = (&'static str, Box<dyn FnOnce()>);

fn refusal<T>(message: &'static str, call: impl FnOnce() -> T + 'static) -> Refusal {
    (message, Box::new(move || drop(call())))
}

fn zeros<const D: usize>(shape: [usize; D]) -> Tensor<Cpu, D> {
    Tensor::zeros(shape, &Device::<Cpu>::default())
}

fn of_rows() -> Vec<Refusal> {
    let index = || RowIndex::new(&[0, 1], 2);
    vec![
        refusal("rms_norm: `weight` is [2] but must be [3]", || {
            rms_norm(zeros([2, 3]), zeros([2]), 1e-5)
        }),
        refusal("rms_norm_backward: `grad` is [2, 2] but must be [2, 3]", || {
            rms_norm_backward(zeros([2, 2]), zeros([2, 3]), zeros([3]), 1e-5)
        }),
        refusal("layer_norm: `bias` is [2] but must be [3]", || {
            layer_norm(zeros([2, 3]), zeros([3]), zeros([2]), 1e-5)
        }),
        refusal("layer_norm_backward: `grad` is [2, 2] but must be [2, 3]", || {
            layer_norm_backward(zeros([2, 2]), zeros([2, 3]), zeros([3]), 1e-5)
        }),
        refusal("gelu_backward: `grad` is [2, 2] but must be [2, 3]", || {
            gelu_backward(zeros([2, 2]), zeros([2, 3]), GeluKind::Erf)
        }),
        refusal("swiglu: `up` is [2, 2] but must be [2, 3]", || {
            swiglu(zeros([2, 3]), zeros([2, 2]))
        }),
        refusal("swiglu_backward: `grad` is [2, 2] but must be [2, 3]", || {
            swiglu_backward(zeros([2, 2]), zeros([2, 3]), zeros([2, 3]))
        }),
        refusal("silu_slope: `along` is [2, 2] but must be [2, 3]", || {
            silu_slope(zeros([2, 2]), zeros([2, 3]))
        }),
        refusal("silu_bend: `b` is [2, 2] but must be [2, 3]", || {
            silu_bend(zeros([2, 3]), zeros([2, 2]), zeros([2, 3]))
        }),
        refusal("half: `curve` is [3, 2, 2] but must be [2, 2, 2]", || {
            half(zeros([3, 2, 2]), Half::Values)
        }),
        refusal("follow: `x` is [2, 2] but must be [2, 1]", || {
            follow(zeros([2, 2]), zeros([2, 3]), zeros([2, 3]))
        }),
        refusal("dot_rows: `b` is [2, 2] but must be [2, 3]", || {
            dot_rows(zeros([2, 3]), zeros([2, 2]))
        }),
        refusal("scale_rows: `scales` is [3, 1] but must be [2, 1]", || {
            scale_rows(zeros([3, 1]), zeros([2, 3]))
        }),
        refusal("gather_rows: `x` is [3] but must be [2]", move || {
            gather_rows(zeros([3, 2]), &index())
        }),
        refusal("sum_rows: `x` is [3] but must be [2]", move || sum_rows(zeros([3, 2]), &index())),
    ]
}

fn of_sequences() -> Vec<Refusal> {
    const FULL: Precision = Precision::Full;
    const OUT_IN: WeightLayout = WeightLayout::OutIn;
    let problem = || AttentionProblem::packed(&[0, 4], true, 1.0, FULL);
    vec![
        refusal("linear: `x` is [2, 3] but must be [2, 4]", || {
            linear::linear(zeros([2, 3]), zeros([5, 4]), None, OUT_IN, FULL)
        }),
        refusal("linear_residual: `residual` is [2, 4] but must be [2, 5]", || {
            let (x, weight) = (zeros([2, 3]), zeros([5, 3]));
            linear::linear_residual(zeros([2, 4]), x, weight, None, OUT_IN, FULL)
        }),
        refusal("linear_input_backward: `grad` is [2, 4] but must be [2, 5]", || {
            linear::linear_input_backward(zeros([2, 4]), zeros([5, 3]), OUT_IN, FULL)
        }),
        refusal("linear_weight_backward: `x` is [3, 4] but must be [2, 4]", || {
            linear::linear_weight_backward(zeros([2, 5]), zeros([3, 4]), OUT_IN, FULL)
        }),
        refusal("rotary: `sin` is [3, 1] but must be [3, 2]", || {
            rotary(zeros([3, 1, 4]), zeros([3, 2]), zeros([3, 1]))
        }),
        refusal("attention: `k` is [4, 1, 2] but must be [4, 1, 3]", move || {
            attention(zeros([4, 2, 3]), zeros([4, 1, 2]), zeros([4, 1, 2]), &problem())
        }),
        refusal("attention_backward: `grad` is [4, 2, 2] but must be [4, 2, 3]", move || {
            let (grad, q, k) = (zeros([4, 2, 2]), zeros([4, 2, 3]), zeros([4, 1, 3]));
            attention_backward(grad, q.clone(), k.clone(), k, q, zeros([4, 2]), &problem())
        }),
        refusal("embedding_backward: `ids` is [2] but must be [3]", || {
            embedding_backward(zeros([3, 2]), ints(&[0, 1]), 4)
        }),
        refusal("linear_cross_entropy: `weight` is [5, 4] but must be [5, 2]", || {
            linear_cross_entropy(zeros([3, 2]), zeros([5, 4]), None, ints(&[0, 1, 2]), FULL)
        }),
        refusal("linear_cross_entropy_gradients: `labels` is [2] but must be [3]", || {
            let (hidden, weight) = (zeros([3, 2]), zeros([5, 2]));
            linear_cross_entropy_gradients(hidden, weight, None, ints(&[0, 1]), FULL)
        }),
        refusal("scale_by: `factor` is [2] but must be [1]", || {
            scale_by(zeros([3, 2]), zeros([2]))
        }),
        refusal("adamw: `grad` is [2] but must be [3]", || {
            adamw(zeros([3]), zeros([2]), zeros([3]), zeros([3]), &STEP)
        }),
        refusal("amsgrad: `largest` is [2] but must be [3]", || {
            let [param, first, second] = [3; 3].map(|length| zeros([length]));
            let state = AmsgradState { param, first, second, largest: zeros([2]) };
            amsgrad(state, zeros([3]), &STEP)
        }),
    ]
}

const STEP: AdamwStep = AdamwStep {
    rate: 0.1,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    weight_decay: 0.0,
    step: 1,
    grad_scale: 1.0,
};

fn of_structures() -> Vec<Refusal> {
    let graph = || EdgeGraph::new(&[0], &[1], 2).expect("an edge of two nodes");
    let of = move || ConvolutionProblem::new(Arc::new(Paths::new(0, 0, 0)), Arc::new(graph()));
    let nodes = |channels: usize| zeros([2, 1, channels]);
    let radial = || zeros([1, 1, 3]);
    let map = || {
        let degrees = [DegreeMap { copies: 1, factor: 1.0 }];
        ChannelLinear { degrees: degrees.into(), channels: 2, species: None }
    };
    let mixing = || {
        let matrix = Arc::new(MixingMatrix::new(&[1.0, 2.0], 2));
        RowMixing { matrix, tables: [0].into(), num_tables: 1 }
    };
    let network = || SiluNetwork::new(vec![2, 3], vec![1.0]);
    vec![
        refusal("convolution: `harmonics` is [2, 1] but must be [1, 1]", move || {
            convolution::convolution(nodes(3), zeros([2, 1]), radial(), &of())
        }),
        refusal("convolution_features: `harmonics` is [2, 1] but must be [1, 1]", move || {
            convolution::convolution_features(nodes(3), zeros([2, 1]), radial(), &of())
        }),
        refusal(
            "convolution_harmonics: `features` is [2, 1, 2] but must be [2, 1, 3]",
            move || convolution::convolution_harmonics(nodes(3), nodes(2), radial(), &of()),
        ),
        refusal("convolution_radial: `harmonics` is [2, 1] but must be [1, 1]", move || {
            convolution::convolution_radial(nodes(3), nodes(3), zeros([2, 1]), &of())
        }),
        refusal("channel_linear: `weights` is [3] but must be [4]", move || {
            channel_linear::channel_linear(nodes(2), zeros([3]), &map())
        }),
        refusal("channel_linear_input: `grad` is [2, 1, 1] but must be [2, 1, 2]", move || {
            channel_linear::channel_linear_input(nodes(1), zeros([4]), 1, &map())
        }),
        refusal("channel_linear_weight: `grad` is [2, 1, 1] but must be [2, 1, 2]", move || {
            channel_linear::channel_linear_weight(nodes(1), nodes(2), &map())
        }),
        refusal("mix_rows: `weights` is [1, 3, 2] but must be [1, 2, 2]", move || {
            mix_rows(zeros([1, 3, 2]), &mixing())
        }),
        refusal("mix_rows_backward: `grad` is [1, 2, 2] but must be [1, 1, 2]", move || {
            mix_rows_backward(zeros([1, 2, 2]), &mixing())
        }),
        refusal("silu_network: `weights` is [5] but must be [6]", move || {
            silu_network(zeros([2, 4, 2]), zeros([5]), &network())
        }),
        refusal("silu_network_backward: `grad` is [2, 4, 2] but must be [2, 4, 3]", move || {
            silu_network_backward(zeros([2, 4, 2]), zeros([2, 4, 2]), zeros([6]), &network())
        }),
        refusal("radial_basis: `lengths` is [3, 2] but must be [3, 1]", || {
            radial_basis(zeros([3, 2]), &RadialBasis { num: 2, radius: 5.0, power: 5 })
        }),
        refusal("spherical_harmonics: `vectors` is [4, 2] but must be [4, 3]", || {
            harmonics::spherical_harmonics(zeros([4, 2]), 1)
        }),
        refusal("spherical_harmonics_backward: `grad` is [3, 4] but must be [4, 4]", || {
            harmonics::spherical_harmonics_backward(zeros([3, 4]), zeros([4, 3]))
        }),
        refusal("spherical_harmonics_second: `along` is [4, 2] but must be [4, 3]", || {
            harmonics::spherical_harmonics_second(zeros([4, 2]), zeros([4, 4]), zeros([4, 3]))
        }),
    ]
}

fn of_polynomials() -> Vec<Refusal> {
    let terms = || Terms::new(2, 1, vec![Term { output: 0, indices: [0; 3], order: 1 }]);
    let of = move || ContractionProblem::new(Arc::new(terms()), [0, 0].into());
    let (x, table) =
        (|channels: usize| zeros([2, 2, channels]), |channels| zeros([1, 1, channels]));
    let grad = |channels: usize| zeros([2, 1, channels]);
    vec![
        refusal("contraction: `coefficients` is [1, 1, 2] but must be [1, 1, 3]", move || {
            contraction::contraction(x(3), table(2), &of())
        }),
        refusal("contraction_input: `grad` is [2, 1, 2] but must be [2, 1, 3]", move || {
            contraction::contraction_input(grad(2), x(3), table(3), &of())
        }),
        refusal("contraction_coefficients: `grad` is [2, 1, 2] but must be [2, 1, 3]", move || {
            contraction::contraction_coefficients(grad(2), x(3), 1, &of())
        }),
        refusal("contraction_tangent: `along` is [2, 2, 2] but must be [2, 2, 3]", move || {
            contraction::contraction_tangent(x(2), x(3), table(3), &of())
        }),
        refusal(
            "contraction_input_tangent: `along` is [2, 2, 2] but must be [2, 2, 3]",
            move || contraction::contraction_input_tangent(x(2), grad(3), x(3), table(3), &of()),
        ),
        refusal(
            "contraction_coefficients_tangent: `along` is [2, 2, 2] but must be [2, 2, 3]",
            move || contraction::contraction_coefficients_tangent(x(2), grad(3), x(3), 1, &of()),
        ),
    ]
}

#[test]
fn every_operation_refuses_a_wrong_shape_and_names_both() {
    let all = [of_rows(), of_sequences(), of_structures(), of_polynomials()];
    let mut refused: Vec<&str> = ANY_SHAPE.to_vec();
    for (message, call) in all.into_iter().flatten() {
        let panic = catch_unwind(AssertUnwindSafe(call)).expect_err(message);
        let said = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(said.starts_with(message), "{said}");
        refused.extend(message.split(':').next());
    }
    let mut wanted = operations();
    refused.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(refused, wanted);
}

#[test]
fn the_list_of_families_is_the_list_of_their_modules() {
    let modules = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("pub mod "));
    assert_eq!(modules.map(|name| name.trim_end_matches(';')).collect::<Vec<_>>(), FAMILIES);
}

#[test]
fn the_cpu_has_kernels_of_its_own_and_only_for_operations_there_are() {
    use super::Kernels;
    let (all, own) = (operations(), Cpu::own_kernels());
    assert!(own.contains(&"attention_backward") && own.contains(&"adamw"), "{own:?}");
    assert!(own.iter().all(|name| all.contains(name)) && own.len() < all.len(), "{own:?}");
    let in_graph = crate::Autodiff::<Cpu>::own_kernels();
    assert!(in_graph.contains(&"attention") && !in_graph.contains(&"adamw"), "{in_graph:?}");
}
