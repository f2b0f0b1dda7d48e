//! The symmetric contraction: a polynomial of degree at most 3 in a node's features, channel by
//! channel, with coefficients per species.
//!
//! ```text
//! letters   N nodes, M inputs, C channels, S species, T terms, O outputs; z(n) species of n
//! maths     P(x, K)[n, o, c] = sum over terms t of output o of
//!                              K[z(n), t, c] * product of x[n, i, c] over the indices i of t
//! gradients input         dx = d<g, P(x, K)>/dx
//!           coefficients  dK = d<g, P(x, K)>/dK, summed over the nodes of each species
//! second    along a direction v of x, written with ': tangent P'(x, K; v), input_tangent
//!           dx'(g, x, K; v), coefficients_tangent dK'(g, x; v). By the symmetry of second
//!           derivatives these are all that the backward of the two gradients needs.
//! layout    x [N, M, C]; K [S, T, C]; P, g [N, O, C]
//! dtypes    f32 or f64
//! ordering  terms nested by their factors, ascending, and sums over nodes ascending: the same bits
//!           for any number of threads
//! empty     N = 0 and outputs without terms are valid
//! source    Batatia et al., "MACE", arXiv:2206.07697, eq. 10; Dusson et al., "Atomic cluster
//!           expansion", arXiv:1911.03550
//! ```

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod emit;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod slices;
#[cfg(test)]
mod tests;
mod tree;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use self::gpu::Form;
use crate::dispatch::{CHECKED, kernels};
use crate::memo::Memo;
use crate::shape::assert_shape;
use tree::Tree;

/// Highest degree of a term.
pub const MAX_ORDER: u8 = 3;

/// One monomial of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The output it belongs to.
    pub output: u16,
    /// The inputs it multiplies: the first `order`, ascending.
    pub indices: [u16; 3],
    /// How many inputs it multiplies, 1 to 3.
    pub order: u8,
}

impl Term {
    /// The three factors; those above the order are `unit`, a row of ones.
    fn factors(&self, unit: usize) -> [usize; 3] {
        let factor = |at: usize| {
            if at < usize::from(self.order) { usize::from(self.indices[at]) } else { unit }
        };
        [factor(0), factor(1), factor(2)]
    }
}

/// The polynomial: which monomials of which inputs make which outputs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    num_inputs: usize,
    num_outputs: usize,
    list: Vec<Term>,
    tree: Tree,
    memo: Memo,
}

impl Terms {
    /// Monomials of `num_inputs` inputs for `num_outputs` outputs, in the order of their
    /// coefficients.
    pub fn new(num_inputs: usize, num_outputs: usize, list: Vec<Term>) -> Self {
        Self { num_inputs, num_outputs, tree: Tree::new(&list), list, memo: Memo::default() }
    }

    /// `M`.
    pub fn num_inputs(&self) -> usize {
        self.num_inputs
    }

    /// `O`.
    pub fn num_outputs(&self) -> usize {
        self.num_outputs
    }

    /// The kernels made from the polynomial.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub(crate) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// The monomials.
    pub fn list(&self) -> &[Term] {
        &self.list
    }
}

/// Which polynomial, and the species of every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractionProblem {
    /// The polynomial.
    pub terms: Arc<Terms>,
    /// `[N]` row of the coefficients.
    pub species: Arc<[u32]>,
}

/// Sizes of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) num_nodes: usize,
    pub(crate) channels: usize,
    pub(crate) num_species: usize,
}

impl ContractionProblem {
    /// This polynomial on nodes of these species.
    pub fn new(terms: Arc<Terms>, species: Arc<[u32]>) -> Self {
        Self { terms, species }
    }

    /// Asserts shapes and that every number of the problem is in range.
    fn check(
        &self,
        operation: &str,
        x: [usize; 3],
        grad: Option<[usize; 3]>,
        num_species: usize,
        coefficients: Option<[usize; 3]>,
    ) {
        let terms = &self.terms;
        let (num_nodes, channels) = (self.species.len(), x[2]);
        let because = "the problem fixes N, M, O and T, `x` fixes C";
        assert_shape(operation, "x", x, [num_nodes, terms.num_inputs, channels], because);
        if let Some(got) = grad {
            let want = [num_nodes, terms.num_outputs, channels];
            assert_shape(operation, "grad", got, want, because);
        }
        if let Some(got) = coefficients {
            let want = [num_species, terms.list.len(), channels];
            assert_shape(operation, "coefficients", got, want, because);
        }
        self.check_values(operation, num_species);
    }

    /// Sizes of a call on `x` with so many rows of coefficients.
    pub(crate) fn sizes(&self, x: [usize; 3], num_species: usize) -> Sizes {
        Sizes { num_nodes: self.species.len(), channels: x[2], num_species }
    }

    fn check_values(&self, operation: &str, num_species: usize) {
        let wrong = self.species.iter().position(|&z| z as usize >= num_species);
        assert!(
            wrong.is_none(),
            "{operation}: node {wrong:?} has species {:?} but there are {num_species}",
            wrong.map(|at| self.species[at])
        );
        let Terms { num_inputs, num_outputs, list, .. } = self.terms.as_ref();
        for (at, term) in list.iter().enumerate() {
            let order = usize::from(term.order);
            let valid = (1..=MAX_ORDER).contains(&term.order)
                && usize::from(term.output) < *num_outputs
                && term.indices[..order].iter().all(|&i| usize::from(i) < *num_inputs);
            assert!(
                valid,
                "{operation}: term {at} is {term:?} but there are {num_inputs} inputs, \
                 {num_outputs} outputs and orders 1 to {MAX_ORDER}"
            );
        }
    }
}

kernels! {
    pub trait ContractionKernels: Backend {
        fn contraction(
            x: Tensor<Self, 3>,
            coefficients: Tensor<Self, 3>,
            problem: &ContractionProblem,
        ) -> Tensor<Self, 3> {
            reference::forward(x, coefficients, problem)
        }
        fn contraction_input(
            grad: Tensor<Self, 3>,
            x: Tensor<Self, 3>,
            coefficients: Tensor<Self, 3>,
            problem: &ContractionProblem,
        ) -> Tensor<Self, 3> {
            reference::input(grad, x, coefficients, problem)
        }
        fn contraction_coefficients(
            grad: Tensor<Self, 3>,
            x: Tensor<Self, 3>,
            num_species: usize,
            problem: &ContractionProblem,
        ) -> Tensor<Self, 3> {
            reference::coefficients(grad, x, num_species, problem)
        }
        fn contraction_tangent(
            along: Tensor<Self, 3>,
            x: Tensor<Self, 3>,
            coefficients: Tensor<Self, 3>,
            problem: &ContractionProblem,
        ) -> Tensor<Self, 3> {
            reference::tangent(along, x, coefficients, problem)
        }
        fn contraction_input_tangent(
            along: Tensor<Self, 3>,
            grad: Tensor<Self, 3>,
            x: Tensor<Self, 3>,
            coefficients: Tensor<Self, 3>,
            problem: &ContractionProblem,
        ) -> Tensor<Self, 3> {
            reference::input_tangent(along, grad, x, coefficients, problem)
        }
        fn contraction_coefficients_tangent(
            along: Tensor<Self, 3>,
            grad: Tensor<Self, 3>,
            x: Tensor<Self, 3>,
            num_species: usize,
            problem: &ContractionProblem,
        ) -> Tensor<Self, 3> {
            reference::coefficients_tangent(along, grad, x, num_species, problem)
        }
    }
    cpu {
        contraction: cpu::forward,
        contraction_input: cpu::input_gradient,
        contraction_coefficients: cpu::coefficients,
        contraction_tangent: cpu::tangent,
        contraction_input_tangent: cpu::input_tangent,
        contraction_coefficients_tangent: cpu::coefficients_tangent,
    }
    gpu {
        contraction: |x, coefficients, problem| {
            gpu::contraction(Form::Outputs { coefficients }, x, None, problem)
        },
        contraction_input: |grad, x, coefficients, problem| {
            gpu::contraction(Form::Inputs { grad, coefficients }, x, None, problem)
        },
        contraction_coefficients: |grad, x, num_species, problem| {
            gpu::contraction(Form::Coefficients { grad, num_species }, x, None, problem)
        },
        contraction_tangent: |along, x, coefficients, problem| {
            gpu::contraction(Form::Outputs { coefficients }, x, Some(along), problem)
        },
        contraction_input_tangent: |along, grad, x, coefficients, problem| {
            gpu::contraction(Form::Inputs { grad, coefficients }, x, Some(along), problem)
        },
        contraction_coefficients_tangent: |along, grad, x, num_species, problem| {
            let form = Form::Coefficients { grad, num_species };
            gpu::contraction(form, x, Some(along), problem)
        },
    }
    autodiff {
        contraction: op::tracked,
        contraction_input: op::input_tracked,
        contraction_coefficients: op::coefficients_tracked,
    }
}

/// `x [N, M, C]`, `coefficients [S, T, C]` to `[N, O, C]`.
pub fn contraction<B: ContractionKernels>(
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let of = coefficients.dims();
    problem.check("contraction", x.dims(), None, of[0], Some(of));
    <B as ContractionKernels>::contraction(CHECKED, x, coefficients, problem)
}

/// Gradient of `x`.
pub fn contraction_input<B: ContractionKernels>(
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let of = coefficients.dims();
    problem.check("contraction_input", x.dims(), Some(grad.dims()), of[0], Some(of));
    <B as ContractionKernels>::contraction_input(CHECKED, grad, x, coefficients, problem)
}

/// Gradient of the coefficients.
pub fn contraction_coefficients<B: ContractionKernels>(
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    problem.check("contraction_coefficients", x.dims(), Some(grad.dims()), num_species, None);
    <B as ContractionKernels>::contraction_coefficients(CHECKED, grad, x, num_species, problem)
}

/// Change of the contraction along `along [N, M, C]`.
pub fn contraction_tangent<B: ContractionKernels>(
    along: Tensor<B, 3>,
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let (name, of) = ("contraction_tangent", coefficients.dims());
    problem.check(name, x.dims(), None, of[0], Some(of));
    assert_shape(name, "along", along.dims(), x.dims(), "as `x`");
    <B as ContractionKernels>::contraction_tangent(CHECKED, along, x, coefficients, problem)
}

/// Change of the gradient of `x` along `along`.
pub fn contraction_input_tangent<B: ContractionKernels>(
    along: Tensor<B, 3>,
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let (name, of) = ("contraction_input_tangent", coefficients.dims());
    problem.check(name, x.dims(), Some(grad.dims()), of[0], Some(of));
    assert_shape(name, "along", along.dims(), x.dims(), "as `x`");
    <B as ContractionKernels>::contraction_input_tangent(
        CHECKED,
        along,
        grad,
        x,
        coefficients,
        problem,
    )
}

/// Change of the coefficients' gradient along `along`.
pub fn contraction_coefficients_tangent<B: ContractionKernels>(
    along: Tensor<B, 3>,
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let name = "contraction_coefficients_tangent";
    problem.check(name, x.dims(), Some(grad.dims()), num_species, None);
    assert_shape(name, "along", along.dims(), x.dims(), "as `x`");
    <B as ContractionKernels>::contraction_coefficients_tangent(
        CHECKED,
        along,
        grad,
        x,
        num_species,
        problem,
    )
}
