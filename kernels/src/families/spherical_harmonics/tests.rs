//! The harmonics against their closed forms, rotations and differences.

use burn::tensor::Tensor;

use super::{MAX_DEGREE, reference};
use crate::Kernels;
use crate::families::refusals_tests::Refusal;
use crate::families::spherical_harmonics;
use crate::testing::{
    Case, check_gradient, check_values, numbers, reference_values, values, values_with_threads,
};
use crate::wigner::rotation_matrix;

#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Values,
    Gradient,
    /// Change of the values along a direction, and of the gradient.
    Slope,
    Bend,
}

pub(super) const KERNELS: [Wanted; 4] =
    [Wanted::Values, Wanted::Gradient, Wanted::Slope, Wanted::Bend];

pub(super) struct Harmonics {
    pub(super) wanted: Wanted,
    pub(super) edges: usize,
    pub(super) max_degree: usize,
}

impl Harmonics {
    pub(super) fn columns(&self) -> usize {
        (self.max_degree + 1) * (self.max_degree + 1)
    }

    pub(super) fn inputs(&self) -> Vec<Vec<f64>> {
        let along = numbers(self.edges * 3, 1);
        let grad = numbers(self.edges * self.columns(), 2);
        let vectors = numbers(self.edges * 3, 3);
        match self.wanted {
            Wanted::Values => vec![vectors],
            Wanted::Gradient => vec![grad, vectors],
            Wanted::Slope | Wanted::Bend => vec![along, grad, vectors],
        }
    }
}

impl Case for Harmonics {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let vector = |at: usize| inputs[at].clone().reshape([self.edges, 3]);
        let grad = |at: usize| inputs[at].clone().reshape([self.edges, self.columns()]);
        let out = match self.wanted {
            Wanted::Values => spherical_harmonics::spherical_harmonics(vector(0), self.max_degree),
            Wanted::Gradient => {
                spherical_harmonics::spherical_harmonics_backward(grad(0), vector(1))
            }
            Wanted::Slope => {
                spherical_harmonics::spherical_harmonics_second(vector(0), grad(1), vector(2)).0
            }
            Wanted::Bend => {
                spherical_harmonics::spherical_harmonics_second(vector(0), grad(1), vector(2)).1
            }
        };
        out.flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let vector = |at: usize| inputs[at].clone().reshape([self.edges, 3]);
        let grad = |at: usize| inputs[at].clone().reshape([self.edges, self.columns()]);
        let out = match self.wanted {
            Wanted::Values => reference::forward(vector(0), self.max_degree),
            Wanted::Gradient => reference::backward(&grad(0), vector(1)),
            Wanted::Slope => reference::second(vector(0), &grad(1), vector(2)).0,
            Wanted::Bend => reference::second(vector(0), &grad(1), vector(2)).1,
        };
        out.flatten(0, 1)
    }
}

/// Degrees 0 to 3 in closed form (e3nn's order and "component" normalisation).
fn closed_form([x, y, z]: [f64; 3]) -> [f64; 16] {
    let r = (x * x + y * y + z * z).sqrt();
    let (x, y, z) = (x / r, y / r, z / r);
    let root = f64::sqrt;
    let (s0, s4, q) = (root(15.0) * x * z, root(15.0) / 2.0 * (z * z - x * x), x * x + z * z);
    [
        1.0,
        root(3.0) * x,
        root(3.0) * y,
        root(3.0) * z,
        s0,
        root(15.0) * x * y,
        root(5.0) * (y * y - q / 2.0),
        root(15.0) * y * z,
        s4,
        root(42.0) / 6.0 * (s0 * z + s4 * x),
        root(7.0) * s0 * y,
        root(168.0) / 8.0 * (4.0 * y * y - q) * x,
        root(7.0) / 2.0 * y * (2.0 * y * y - 3.0 * q),
        root(168.0) / 8.0 * z * (4.0 * y * y - q),
        root(7.0) * s4 * y,
        root(42.0) / 6.0 * (s4 * z - s0 * x),
    ]
}

#[test]
fn degrees_to_three_have_their_closed_forms() {
    let case = Harmonics { wanted: Wanted::Values, edges: 21, max_degree: 3 };
    let inputs = case.inputs();
    let vectors = inputs[0].as_chunks::<3>().0;
    let want: Vec<f64> = vectors.iter().flat_map(|&vector| closed_form(vector)).collect();
    // Numbers below 3 made with some ten roundings in both ways: 20 ulp of 2.
    for got in [values(&case, &inputs).1, reference_values(&case, &inputs).1] {
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() < 20.0 * 2.0 * f64::EPSILON, "{got} is not {want}");
        }
    }
}

#[test]
fn the_square_of_every_degree_is_two_l_plus_one_and_the_pole_is_positive() {
    let case = Harmonics { wanted: Wanted::Values, edges: 3, max_degree: MAX_DEGREE };
    let (_, got) = values(&case, &[vec![0.3, -0.5, 0.9, -2.0, 0.1, 0.0, 0.0, 7.0, 0.0]]);
    for of_edge in got.chunks(case.columns()) {
        for l in 0..=MAX_DEGREE {
            let square: f64 = of_edge[l * l..(l + 1) * (l + 1)].iter().map(|y| y * y).sum();
            assert!((square - (2 * l + 1) as f64).abs() < 1e-13, "degree {l}: {square}");
        }
    }
    for l in 0..=MAX_DEGREE {
        let pole = got[2 * case.columns() + l * l + l];
        assert!((pole - ((2 * l + 1) as f64).sqrt()).abs() < 1e-14, "degree {l}: {pole}");
    }
}

#[test]
fn rotating_the_vector_rotates_every_degree() {
    // A rotation with rational entries: columns of the quaternion (1, 2, 3, 4) / sqrt(30).
    let rotation = [[-20.0, 4.0, 22.0], [20.0, -10.0, 20.0], [10.0, 28.0, 4.0]]
        .map(|row| row.map(|entry| entry / 30.0));
    let vector = [0.3, -0.5, 0.9];
    let turned: Vec<f64> =
        rotation.iter().map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum()).collect();
    let case = Harmonics { wanted: Wanted::Values, edges: 1, max_degree: MAX_DEGREE };
    let ((_, plain), (_, got)) = (values(&case, &[vector.to_vec()]), values(&case, &[turned]));
    for l in 0..=MAX_DEGREE {
        let (d, size) = (rotation_matrix(l, rotation), 2 * l + 1);
        for m in 0..size {
            let want: f64 = (0..size).map(|n| d[m * size + n] * plain[l * l + n]).sum();
            assert!((got[l * l + m] - want).abs() < 1e-13, "degree {l} component {m}");
        }
    }
}

#[test]
fn all_kernels_match_their_references_for_whole_and_ragged_packs() {
    for wanted in KERNELS {
        for (edges, max_degree) in [(1, 0), (15, 1), (16, 3), (17, 6), (40, 2)] {
            let case = Harmonics { wanted, edges, max_degree };
            check_values(&case, &case.inputs());
        }
    }
}

#[test]
fn every_backward_is_the_derivative_and_has_a_derivative_itself() {
    for max_degree in [1, 3, 6] {
        for wanted in [Wanted::Values, Wanted::Gradient] {
            let case = Harmonics { wanted, edges: 2, max_degree };
            let mut inputs = case.inputs();
            // Away from the pole of 1 / |v|, where differences do not converge.
            let last = inputs.len() - 1;
            inputs[last] = vec![0.75, -0.5, 1.0, -1.25, 0.5, 0.25];
            check_gradient(&case, &inputs);
        }
    }
}

#[test]
fn a_zero_vector_has_degree_zero_alone_and_no_derivative() {
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 1, max_degree: 3 };
        let mut inputs = case.inputs();
        let last = inputs.len() - 1;
        inputs[last] = vec![0.0; 3];
        let mut want =
            vec![0.0; if matches!(wanted, Wanted::Values | Wanted::Slope) { 16 } else { 3 }];
        if matches!(wanted, Wanted::Values) {
            want[0] = 1.0;
        }
        assert_eq!(values(&case, &inputs).1, want);
        assert_eq!(reference_values(&case, &inputs).1, want);
    }
}

#[test]
fn a_nan_spoils_its_own_edge_only() {
    let case = Harmonics { wanted: Wanted::Values, edges: 3, max_degree: 2 };
    let mut inputs = case.inputs();
    inputs[0][4] = f64::NAN;
    let got = values(&case, &inputs).0;
    let nan: Vec<bool> = got.chunks(9).map(|edge| edge[1..].iter().all(|y| y.is_nan())).collect();
    let finite: Vec<bool> = got.chunks(9).map(|edge| edge.iter().all(|y| y.is_finite())).collect();
    assert_eq!((nan, finite), (vec![false, true, false], vec![true, false, true]));
}

#[test]
fn no_edges_give_nothing() {
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 0, max_degree: 2 };
        assert!(values(&case, &case.inputs()).0.is_empty());
    }
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 700, max_degree: 4 };
        let inputs = case.inputs();
        let one = values_with_threads(&case, &inputs, 1);
        assert_eq!(one, values_with_threads(&case, &inputs, 3));
    }
}

#[test]
#[should_panic(expected = "degree 7 is above 6")]
fn a_degree_too_high_is_refused() {
    let _ = values(&Harmonics { wanted: Wanted::Values, edges: 1, max_degree: 7 }, &[vec![1.0; 3]]);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    vec![
        refusal("spherical_harmonics: `vectors` is [4, 2] but must be [4, 3]", || {
            spherical_harmonics::spherical_harmonics(zeros([4, 2]), 1)
        }),
        refusal("spherical_harmonics_backward: `grad` is [3, 4] but must be [4, 4]", || {
            spherical_harmonics::spherical_harmonics_backward(zeros([3, 4]), zeros([4, 3]))
        }),
        refusal("spherical_harmonics_second: `along` is [4, 2] but must be [4, 3]", || {
            spherical_harmonics::spherical_harmonics_second(
                zeros([4, 2]),
                zeros([4, 4]),
                zeros([4, 3]),
            )
        }),
    ]
}
