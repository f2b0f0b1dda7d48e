//! The polynomial, its gradients and their changes against plain loops and differences.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::{ContractionProblem, Term, Terms, reference, roofline};
use crate::families::contraction;
use crate::families::refusals_tests::Refusal;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, numbers, values,
    values_with_threads,
};
use crate::{Cpu, Kernels};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    Output,
    Input,
    Coefficients,
    Tangent,
    InputTangent,
    CoefficientsTangent,
}

pub(super) const KERNELS: [Wanted; 6] = [
    Wanted::Output,
    Wanted::Input,
    Wanted::Coefficients,
    Wanted::Tangent,
    Wanted::InputTangent,
    Wanted::CoefficientsTangent,
];

pub(super) struct Contraction {
    pub(super) wanted: Wanted,
    pub(super) problem: ContractionProblem,
    pub(super) num_species: usize,
    pub(super) channels: usize,
}

fn term(output: u16, indices: &[u16]) -> Term {
    let mut all = [0; 3];
    all[..indices.len()].copy_from_slice(indices);
    Term { output, indices: all, order: u8::try_from(indices.len()).expect("at most 3") }
}

/// All orders, repeated indices, an output with a gap in its run, and one without terms.
fn terms() -> Terms {
    let list = vec![
        term(0, &[0, 0, 0]),
        term(0, &[0, 1, 2]),
        term(0, &[1, 1]),
        term(2, &[0, 2]),
        term(2, &[2]),
        term(0, &[1, 2, 2]),
    ];
    Terms::new(3, 4, list)
}

/// 500 monomials of all orders, four outputs of which the last has none: more than one kernel for a GPU.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(super) fn many_terms() -> Terms {
    let term = |at: u16| {
        let mut indices = [at % 7, at / 7 % 7, at / 49 % 7];
        let order = usize::from(at % 3 + 1);
        indices[..order].sort_unstable();
        term(at / 125 % 3, &indices[..order])
    };
    Terms::new(7, 4, (0..500).map(term).collect())
}

impl Contraction {
    /// With [`many_terms`].
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub(super) fn of_many_terms(self) -> Self {
        let problem = ContractionProblem::new(Arc::new(many_terms()), self.problem.species);
        Self { problem, ..self }
    }

    pub(super) fn new(
        wanted: Wanted,
        species: &[u32],
        num_species: usize,
        channels: usize,
    ) -> Self {
        let problem = ContractionProblem::new(Arc::new(terms()), species.into());
        Self { wanted, problem, num_species, channels }
    }

    pub(super) fn x_shape(&self) -> [usize; 3] {
        [self.problem.species.len(), self.problem.terms.num_inputs, self.channels]
    }

    fn grad_shape(&self) -> [usize; 3] {
        [self.problem.species.len(), self.problem.terms.num_outputs, self.channels]
    }

    fn coefficients_shape(&self) -> [usize; 3] {
        [self.num_species, self.problem.terms.list.len(), self.channels]
    }

    pub(super) fn inputs(&self) -> Vec<Vec<f64>> {
        let sized = |shape: [usize; 3], seed| numbers(shape.iter().product(), seed);
        let along = sized(self.x_shape(), 1);
        let grad = sized(self.grad_shape(), 2);
        let x = sized(self.x_shape(), 3);
        let coefficients = sized(self.coefficients_shape(), 4);
        match self.wanted {
            Wanted::Output => vec![x, coefficients],
            Wanted::Input => vec![grad, x, coefficients],
            Wanted::Coefficients => vec![grad, x],
            Wanted::Tangent => vec![along, x, coefficients],
            Wanted::InputTangent => vec![along, grad, x, coefficients],
            Wanted::CoefficientsTangent => vec![along, grad, x],
        }
    }
}

impl Case for Contraction {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (x, g, k) = (self.x_shape(), self.grad_shape(), self.coefficients_shape());
        let (s, problem) = (self.num_species, &self.problem);
        let at = |at: usize, shape: [usize; 3]| inputs[at].clone().reshape(shape);
        let out = match self.wanted {
            Wanted::Output => contraction::contraction(at(0, x), at(1, k), problem),
            Wanted::Input => contraction::contraction_input(at(0, g), at(1, x), at(2, k), problem),
            Wanted::Coefficients => {
                contraction::contraction_coefficients(at(0, g), at(1, x), s, problem)
            }
            Wanted::Tangent => {
                contraction::contraction_tangent(at(0, x), at(1, x), at(2, k), problem)
            }
            Wanted::InputTangent => contraction::contraction_input_tangent(
                at(0, x),
                at(1, g),
                at(2, x),
                at(3, k),
                problem,
            ),
            Wanted::CoefficientsTangent => contraction::contraction_coefficients_tangent(
                at(0, x),
                at(1, g),
                at(2, x),
                s,
                problem,
            ),
        };
        out.flatten(0, 2)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (x, g, k) = (self.x_shape(), self.grad_shape(), self.coefficients_shape());
        let (s, problem) = (self.num_species, &self.problem);
        let at = |at: usize, shape: [usize; 3]| inputs[at].clone().reshape(shape);
        let out = match self.wanted {
            Wanted::Output => reference::forward(at(0, x), at(1, k), problem),
            Wanted::Input => reference::input(at(0, g), at(1, x), at(2, k), problem),
            Wanted::Coefficients => reference::coefficients(at(0, g), at(1, x), s, problem),
            Wanted::Tangent => reference::tangent(at(0, x), at(1, x), at(2, k), problem),
            Wanted::InputTangent => {
                reference::input_tangent(at(0, x), at(1, g), at(2, x), at(3, k), problem)
            }
            Wanted::CoefficientsTangent => {
                reference::coefficients_tangent(at(0, x), at(1, g), at(2, x), s, problem)
            }
        };
        out.flatten(0, 2)
    }
}

fn plain<T: Real>(case: &Contraction, inputs: &[Vec<f64>]) -> Vec<T> {
    let [x, k] = [0, 1].map(|at| cast::<T>(&inputs[at]));
    let (c, terms) = (case.channels, &case.problem.terms);
    let mut out = vec![T::of(0.0); case.problem.species.len() * terms.num_outputs * c];
    for (node, &species) in case.problem.species.iter().enumerate() {
        for (t, term) in terms.list.iter().enumerate() {
            for u in 0..c {
                let mut product = k[(species as usize * terms.list.len() + t) * c + u];
                for &index in &term.indices[..usize::from(term.order)] {
                    product = product * x[(node * terms.num_inputs + usize::from(index)) * c + u];
                }
                let to = &mut out[(node * terms.num_outputs + usize::from(term.output)) * c + u];
                *to = *to + product;
            }
        }
    }
    out
}

#[test]
fn the_polynomial_matches_plain_loops_for_whole_and_ragged_packs() {
    for channels in [1, 3, 16, 17] {
        let case = Contraction::new(Wanted::Output, &[1, 0, 1], 3, channels);
        let inputs = case.inputs();
        let (got32, got64) = values(&case, &inputs);
        assert_both(&got32, &got64, &plain(&case, &inputs), &plain(&case, &inputs));
    }
}

#[test]
fn all_kernels_match_their_references() {
    for wanted in KERNELS {
        for channels in [1, 9, 33] {
            let case = Contraction::new(wanted, &[1, 0, 1, 1], 3, channels);
            check_values(&case, &case.inputs());
        }
    }
}

#[test]
fn every_backward_is_the_derivative_and_has_a_derivative_itself() {
    for wanted in KERNELS {
        let case = Contraction::new(wanted, &[1, 0, 1], 2, 2);
        check_gradient(&case, &case.inputs());
    }
}

#[test]
fn no_nodes_give_nothing_and_zero_gradients_of_the_coefficients() {
    for wanted in KERNELS {
        let case = Contraction::new(wanted, &[], 2, 3);
        let (got, _) = values(&case, &case.inputs());
        let per_species = matches!(wanted, Wanted::Coefficients | Wanted::CoefficientsTangent);
        assert_eq!(got, vec![0.0; if per_species { 2 * 6 * 3 } else { 0 }]);
    }
}

#[test]
fn a_nan_stays_with_its_node_and_channel() {
    let case = Contraction::new(Wanted::Output, &[0, 0], 1, 2);
    let mut inputs = case.inputs();
    // Node 1, input 2, channel 0; outputs 0 and 2 use input 2.
    inputs[0][(3 + 2) * 2] = f64::NAN;
    let got = values(&case, &inputs).0;
    let nan: Vec<usize> = (0..got.len()).filter(|&at| got[at].is_nan()).collect();
    assert_eq!(nan, [4 * 2, (4 + 2) * 2]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    let species: Vec<u32> = (0..200).map(|node| node % 3).collect();
    for wanted in KERNELS {
        let case = Contraction::new(wanted, &species, 3, 20);
        let inputs = case.inputs();
        let one = values_with_threads(&case, &inputs, 1);
        assert_eq!(one, values_with_threads(&case, &inputs, 3));
    }
}

#[test]
#[should_panic(expected = "contraction: node Some(1) has species Some(2) but there are 2")]
fn a_species_without_coefficients_is_named() {
    let case = Contraction::new(Wanted::Output, &[0, 2], 2, 1);
    let _ = values(&case, &case.inputs());
}

#[test]
#[should_panic(
    expected = "contraction: term 0 is Term { output: 0, indices: [5, 0, 0], order: 1 }"
)]
fn a_term_out_of_range_is_named() {
    let list = vec![term(0, &[5])];
    let terms = Arc::new(Terms::new(1, 1, list));
    let device = Device::<Cpu>::default();
    let ones = |shape| Tensor::<Cpu, 3>::ones(shape, &device);
    let problem = ContractionProblem::new(terms, [0].into());
    let _ = contraction::contraction(ones([1, 1, 1]), ones([1, 1, 1]), &problem);
}

#[test]
fn the_cost_is_counted_by_hand() {
    // Output 0: 0 (0 0), 0 (1 2), 1 (1), 1 (2 2) have leads 0 and 1, pairs 00, 01, 11, 12 and triples
    // 000, 012, 122; output 2: 0 (2), 2 have two leads and a pair. Two operations for each of 12, for
    // 2 nodes and 5 channels.
    let extent = roofline::Extent { num_nodes: 2, num_species: 3, channels: 5, element_bytes: 4 };
    let work = roofline::forward(&terms(), extent);
    let bytes = 4 * 5 * (2 * (3 + 4) + 3 * 6);
    assert_eq!(
        [work.flops, work.bytes].map(f64::to_bits),
        [240.0, f64::from(bytes)].map(f64::to_bits)
    );
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
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
