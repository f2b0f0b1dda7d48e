//! The polynomial, its gradients and their derivatives along a direction, in Burn operations.
//!
//! All monomials of all nodes at once, `[N, T, C]`, with a row of ones appended to the inputs so
//! that every monomial has three factors.

use burn::tensor::backend::Backend;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use super::{ContractionProblem, Term};
use crate::families::rows::reference::numbers;

/// `P(x, K)`, `[N, O, C]`.
pub fn forward<B: Backend>(
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let [a, b, c] = factors(x, problem, 1.0);
    to_outputs(of_nodes(coefficients, problem).mul(a).mul(b).mul(c), problem)
}

/// `dx`, `[N, M, C]`.
pub fn input<B: Backend>(
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let [a, b, c] = factors(x, problem, 1.0);
    let weight = of_nodes(coefficients, problem).mul(of_terms(grad, problem));
    let parts = [b.clone().mul(c.clone()), a.clone().mul(c), a.mul(b)];
    to_inputs(parts.map(|part| part.mul(weight.clone())), problem)
}

/// `dK`, `[S, T, C]`.
pub fn coefficients<B: Backend>(
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let [a, b, c] = factors(x, problem, 1.0);
    to_species(of_terms(grad, problem).mul(a).mul(b).mul(c), num_species, problem)
}

/// `P'(x, K; v)`, `[N, O, C]`.
pub fn tangent<B: Backend>(
    direction: Tensor<B, 3>,
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let slope = slope(factors(x, problem, 1.0), factors(direction, problem, 0.0));
    to_outputs(of_nodes(coefficients, problem).mul(slope), problem)
}

/// `dx'(g, x, K; v)`, `[N, M, C]`.
pub fn input_tangent<B: Backend>(
    direction: Tensor<B, 3>,
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    coefficients: Tensor<B, 3>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let [a, b, c] = factors(x, problem, 1.0);
    let [u, v, w] = factors(direction, problem, 0.0);
    let weight = of_nodes(coefficients, problem).mul(of_terms(grad, problem));
    let pair = |x: &Tensor<B, 3>, dx: &Tensor<B, 3>, y: &Tensor<B, 3>, dy: &Tensor<B, 3>| {
        x.clone().mul(dy.clone()).add(dx.clone().mul(y.clone()))
    };
    let parts = [pair(&b, &v, &c, &w), pair(&a, &u, &c, &w), pair(&a, &u, &b, &v)];
    to_inputs(parts.map(|part| part.mul(weight.clone())), problem)
}

/// `dK'(g, x; v)`, `[S, T, C]`.
pub fn coefficients_tangent<B: Backend>(
    direction: Tensor<B, 3>,
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let slope = slope(factors(x, problem, 1.0), factors(direction, problem, 0.0));
    to_species(of_terms(grad, problem).mul(slope), num_species, problem)
}

/// Derivative of the product of three factors.
fn slope<B: Backend>(value: [Tensor<B, 3>; 3], change: [Tensor<B, 3>; 3]) -> Tensor<B, 3> {
    let ([a, b, c], [u, v, w]) = (value, change);
    let first = u.mul(b.clone()).mul(c.clone());
    let second = a.clone().mul(v).mul(c);
    first.add(second).add(a.mul(b).mul(w))
}

/// The three factors of every term, `[N, T, C]` each; absent factors are `unit`.
fn factors<B: Backend>(
    x: Tensor<B, 3>,
    problem: &ContractionProblem,
    unit: f64,
) -> [Tensor<B, 3>; 3] {
    let [nodes, inputs, channels] = x.dims();
    let ones = Tensor::full([nodes, 1, channels], unit, (&x.device(), x.dtype()));
    let all = Tensor::cat(vec![x, ones], 1);
    let device = all.device();
    [0, 1, 2].map(|at| {
        let rows = indices::<B>(problem, &device, |term| term.factors(inputs)[at]);
        all.clone().select(1, rows)
    })
}

/// A number of every term as a tensor.
fn indices<B: Backend>(
    problem: &ContractionProblem,
    device: &B::Device,
    of: impl Fn(&Term) -> usize,
) -> Tensor<B, 1, Int> {
    let row = |term| u32::try_from(of(term)).expect("checked: a term's numbers fit 16 bits");
    let rows: Vec<u32> = problem.terms.list.iter().map(row).collect();
    numbers(&rows, device)
}

/// Coefficients of each node's species, `[N, T, C]`.
fn of_nodes<B: Backend>(coefficients: Tensor<B, 3>, problem: &ContractionProblem) -> Tensor<B, 3> {
    let species = numbers(&problem.species, &coefficients.device());
    coefficients.select(0, species)
}

/// The output's gradient for each of its terms, `[N, T, C]`.
fn of_terms<B: Backend>(grad: Tensor<B, 3>, problem: &ContractionProblem) -> Tensor<B, 3> {
    let outputs = indices::<B>(problem, &grad.device(), |term| term.output.into());
    grad.select(1, outputs)
}

/// Sums the terms of each output.
fn to_outputs<B: Backend>(terms: Tensor<B, 3>, problem: &ContractionProblem) -> Tensor<B, 3> {
    let [nodes, _, channels] = terms.dims();
    let device = terms.device();
    let zeros =
        Tensor::zeros([nodes, problem.terms.num_outputs, channels], (&device, terms.dtype()));
    let outputs = indices::<B>(problem, &device, |term| term.output.into());
    zeros.select_assign(1, outputs, terms, IndexingUpdateOp::Add)
}

/// Sums the three factors' gradients onto the inputs and drops that of the row of ones.
fn to_inputs<B: Backend>(parts: [Tensor<B, 3>; 3], problem: &ContractionProblem) -> Tensor<B, 3> {
    let [nodes, _, channels] = parts[0].dims();
    let inputs = problem.terms.num_inputs;
    let device = parts[0].device();
    let mut sum = Tensor::zeros([nodes, inputs + 1, channels], (&device, parts[0].dtype()));
    for (at, part) in parts.into_iter().enumerate() {
        let rows = indices::<B>(problem, &device, |term| term.factors(inputs)[at]);
        sum = sum.select_assign(1, rows, part, IndexingUpdateOp::Add);
    }
    sum.narrow(1, 0, inputs)
}

/// Sums the nodes of each species.
fn to_species<B: Backend>(
    terms: Tensor<B, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let [_, count, channels] = terms.dims();
    let device = terms.device();
    let zeros = Tensor::zeros([num_species, count, channels], (&device, terms.dtype()));
    let species = numbers(&problem.species, &device);
    zeros.select_assign(0, species, terms, IndexingUpdateOp::Add)
}
