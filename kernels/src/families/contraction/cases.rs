//! Polynomials of all nodes.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{ContractionKernels, ContractionProblem, Term, Terms, roofline};
use super::{contraction, contraction_coefficients, contraction_coefficients_tangent};
use super::{contraction_input, contraction_input_tangent, contraction_tangent};
use crate::cases::Arithmetic::{self, F32, F64};
use crate::cases::{Atoms, Case, HARMONICS, Place, SPECIES, Sizes};

/// Inputs, a direction, gradient, coefficients.
type Slots<B> = [Tensor<B, 3>; 4];

pub(crate) fn cases<B: ContractionKernels>(at: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    at.can([F32, F64]).into_iter().flat_map(|it| forms(sizes.atoms, it)).collect()
}

fn terms(a: Atoms) -> Terms {
    let term = |(output, indices, order)| Term { output, indices, order };
    let list = a.monomials().into_iter().map(term).collect();
    Terms::new((HARMONICS + 1).pow(2), (a.degree + 1).pow(2), list)
}

fn forms<B: ContractionKernels>(a: Atoms, arithmetic: Arithmetic) -> [Case<B>; 6] {
    let terms = Arc::new(terms(a));
    let extent = roofline::Extent {
        num_nodes: a.nodes,
        num_species: SPECIES,
        channels: a.channels,
        element_bytes: arithmetic.bytes(),
    };
    let shape = format!("{} nodes {} terms c{}", a.nodes, terms.list().len(), a.channels);
    let problem = ContractionProblem::new(terms.clone(), a.species().into());
    let sizes = [terms.num_inputs(), terms.num_outputs(), terms.list().len()];
    let case = |operation, work, run: fn(Slots<B>, &ContractionProblem) -> Tensor<B, 3>| {
        let problem = problem.clone();
        Case::new(operation, shape.clone(), arithmetic, work, move |at| {
            let [inputs, outputs, terms] = sizes;
            let of = |rows, count| at.normal([count, rows, a.channels], arithmetic);
            let nodes = [inputs, inputs, outputs].map(|rows| of(rows, a.nodes));
            let ([x, v, g], k) = (nodes, of(terms, SPECIES));
            let (slots, problem) = ([x, v, g, k], problem.clone());
            move || run(slots.clone(), &problem)
        })
    };
    let forward = roofline::forward(&terms, extent);
    let input = roofline::input(&terms, extent);
    let coefficients = roofline::coefficients(&terms, extent);
    let [tangent, input_tangent, coefficients_tangent] =
        [forward, input, coefficients].map(roofline::moving);
    [
        case("forward", forward, |[x, _, _, k], p| contraction(x, k, p)),
        case("input", input, |[x, _, g, k], p| contraction_input(g, x, k, p)),
        case("coefficients", coefficients, |[x, _, g, _], p| {
            contraction_coefficients(g, x, SPECIES, p)
        }),
        case("tangent", tangent, |[x, v, _, k], p| contraction_tangent(v, x, k, p)),
        case("input_tangent", input_tangent, |[x, v, g, k], p| {
            contraction_input_tangent(v, g, x, k, p)
        }),
        case("coefficients_tangent", coefficients_tangent, |[x, v, g, _], p| {
            contraction_coefficients_tangent(v, g, x, SPECIES, p)
        }),
    ]
}
