//! The four forms against plain loops, differences and rotations.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{ConvolutionProblem, EdgeGraph, EdgeGraphError, Paths, reference, roofline};
use crate::families::convolution;
use crate::families::refusals_tests::Refusal;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, numbers, values,
    values_with_threads,
};
use crate::wigner::{SignTable, coupling, rotation_matrix};
use crate::{Cpu, Kernels};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Output,
    Features,
    Harmonics,
    Radial,
}

pub(super) const FORMS: [Form; 4] = [Form::Output, Form::Features, Form::Harmonics, Form::Radial];

pub(super) struct Convolution {
    pub(super) form: Form,
    pub(super) problem: ConvolutionProblem,
    pub(super) channels: usize,
}

/// The tensors of a case; those that are absent come first out of `inputs`, in order.
impl Convolution {
    pub(super) fn new(
        form: Form,
        degrees: [usize; 3],
        edges: &[[u32; 2]],
        nodes: usize,
        c: usize,
    ) -> Self {
        let [senders, receivers] =
            [0, 1].map(|end| -> Vec<u32> { edges.iter().map(|edge| edge[end]).collect() });
        let graph = EdgeGraph::new(&senders, &receivers, nodes).expect("a valid graph");
        let paths = Paths::new(degrees[0], degrees[1], degrees[2]);
        let problem = ConvolutionProblem::new(Arc::new(paths), Arc::new(graph));
        Self { form, problem, channels: c }
    }

    fn node_shape(&self, rows: usize) -> [usize; 3] {
        [self.problem.graph.num_nodes(), rows, self.channels]
    }

    fn grad_shape(&self) -> [usize; 3] {
        self.node_shape(self.problem.paths.num_outputs())
    }

    fn features_shape(&self) -> [usize; 3] {
        self.node_shape(self.problem.paths.num_inputs())
    }

    fn harmonics_shape(&self) -> [usize; 2] {
        [self.problem.graph.num_edges(), self.problem.paths.num_harmonics()]
    }

    fn radial_shape(&self) -> [usize; 3] {
        [self.problem.graph.weights().num_rows(), self.problem.paths.len(), self.channels]
    }

    /// The edges of [`EDGES`] at 0, 2 and 5 share a row, so do 1 and 4; one row belongs to no edge.
    pub(super) fn with_shared_weights(self) -> Self {
        let graph = EdgeGraph::clone(&self.problem.graph).with_shared_weights(&SHARED_ROWS, 4);
        let problem = ConvolutionProblem::new(self.problem.paths.clone(), Arc::new(graph));
        Self { problem, ..self }
    }

    pub(super) fn inputs(&self) -> Vec<Vec<f64>> {
        let size = |shape: [usize; 3], seed| numbers(shape.iter().product(), seed);
        let [e, m] = self.harmonics_shape();
        let grad = size(self.grad_shape(), 1);
        let features = size(self.features_shape(), 2);
        let (harmonics, radial) = (numbers(e * m, 3), size(self.radial_shape(), 4));
        match self.form {
            Form::Output => vec![features, harmonics, radial],
            Form::Features => vec![grad, harmonics, radial],
            Form::Harmonics => vec![grad, features, radial],
            Form::Radial => vec![grad, features, harmonics],
        }
    }
}

impl Case for Convolution {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [a, b, c] = [0, 1, 2].map(|at: usize| inputs[at].clone());
        let (g, h) = (self.grad_shape(), self.features_shape());
        let (y, r, problem) = (self.harmonics_shape(), self.radial_shape(), &self.problem);
        match self.form {
            Form::Output => {
                convolution::convolution(a.reshape(h), b.reshape(y), c.reshape(r), problem)
                    .flatten(0, 2)
            }
            Form::Features => {
                convolution::convolution_features(a.reshape(g), b.reshape(y), c.reshape(r), problem)
                    .flatten(0, 2)
            }
            Form::Harmonics => convolution::convolution_harmonics(
                a.reshape(g),
                b.reshape(h),
                c.reshape(r),
                problem,
            )
            .flatten(0, 1),
            Form::Radial => {
                convolution::convolution_radial(a.reshape(g), b.reshape(h), c.reshape(y), problem)
                    .flatten(0, 2)
            }
        }
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [a, b, c] = [0, 1, 2].map(|at: usize| inputs[at].clone());
        let (g, h) = (self.grad_shape(), self.features_shape());
        let (y, r, problem) = (self.harmonics_shape(), self.radial_shape(), &self.problem);
        match self.form {
            Form::Output => reference::forward(a.reshape(h), &b.reshape(y), &c.reshape(r), problem)
                .flatten(0, 2),
            Form::Features => {
                reference::features(a.reshape(g), &b.reshape(y), &c.reshape(r), problem)
                    .flatten(0, 2)
            }
            Form::Harmonics => {
                reference::harmonics(a.reshape(g), b.reshape(h), &c.reshape(r), problem)
                    .flatten(0, 1)
            }
            Form::Radial => {
                reference::radial(a.reshape(g), b.reshape(h), &c.reshape(y), problem).flatten(0, 2)
            }
        }
    }
}

/// `[sender, receiver]`; node 2 receives nothing, node 3 sends nothing, node 4 is alone.
pub(super) const EDGES: [[u32; 2]; 6] = [[1, 0], [2, 0], [1, 0], [0, 1], [0, 3], [2, 3]];
pub(super) const NODES: usize = 5;

/// The contract's formula, its path list and its output layout written down a second time.
fn plain<T: Real>(case: &Convolution, degrees: [usize; 3], inputs: &[Vec<f64>]) -> Vec<T> {
    let [h, y, r] = [0, 1, 2].map(|at| cast::<T>(&inputs[at]));
    let mut paths = Vec::new();
    for l3 in 0..=degrees[2] {
        for l1 in 0..=degrees[0] {
            for l2 in 0..=degrees[1] {
                if l1.abs_diff(l2) <= l3 && l3 <= l1 + l2 && (l1 + l2 + l3) % 2 == 0 {
                    paths.push([l1, l2, l3]);
                }
            }
        }
    }
    let c = case.channels;
    let (m_in, m_y) = ((degrees[0] + 1).pow(2), (degrees[1] + 1).pow(2));
    let m_out: usize = paths.iter().map(|path| 2 * path[2] + 1).sum();
    let mut out = vec![T::of(0.0); NODES * m_out * c];
    for (q, [l1, l2, l3]) in paths.iter().copied().enumerate() {
        let same: Vec<usize> = (0..paths.len()).filter(|&p| paths[p][2] == l3).collect();
        let place = same.iter().position(|&p| p == q).expect("a path is among its own");
        let below: usize = paths.iter().filter(|p| p[2] < l3).map(|p| 2 * p[2] + 1).sum();
        let k = coupling(l1, l2, l3, SignTable::E3nn04);
        let root = ((2 * l3 + 1) as f64).sqrt();
        for (edge, [sender, receiver]) in EDGES.into_iter().enumerate() {
            for term in k.terms() {
                let [m1, m2, m3] = term.components;
                let row = below + m3 * same.len() + place;
                for u in 0..c {
                    let from = h[(sender as usize * m_in + l1 * l1 + m1) * c + u];
                    let weight = r[(edge * paths.len() + q) * c + u];
                    let harmonic = y[edge * m_y + l2 * l2 + m2];
                    let to = &mut out[(receiver as usize * m_out + row) * c + u];
                    *to = *to + T::of(root * term.value) * from * weight * harmonic;
                }
            }
        }
    }
    out
}

#[test]
fn messages_match_plain_loops_for_whole_and_ragged_packs_of_channels() {
    for (degrees, channels) in
        [([0, 0, 0], 1), ([1, 3, 3], 3), ([1, 2, 1], 16), ([2, 3, 3], 17), ([1, 6, 6], 2)]
    {
        let case = Convolution::new(Form::Output, degrees, &EDGES, NODES, channels);
        let inputs = case.inputs();
        let (got32, got64) = values(&case, &inputs);
        let (plain32, plain64) = (plain(&case, degrees, &inputs), plain(&case, degrees, &inputs));
        assert_both(&got32, &got64, &plain32, &plain64);
    }
}

#[test]
fn all_forms_match_their_references() {
    let scalars = [([0, 3, 3], 33), ([0, 6, 6], 3), ([0, 3, 2], 16), ([0, 2, 3], 1)];
    let others = [([1, 3, 3], 3), ([2, 3, 3], 33), ([2, 6, 6], 1)];
    for (degrees, channels) in scalars.into_iter().chain(others) {
        for form in FORMS {
            let case = Convolution::new(form, degrees, &EDGES, NODES, channels);
            check_values(&case, &case.inputs());
        }
    }
}

#[test]
fn a_node_with_more_edges_than_a_pack_sums_all_of_them() {
    let edges: Vec<[u32; 2]> = (0..37).map(|edge| [edge % 2, 1]).collect();
    for (form, max_in) in FORMS.into_iter().flat_map(|form| [(form, 0), (form, 1)]) {
        let case = Convolution::new(form, [max_in, 1, 1], &edges, 2, 5);
        check_values(&case, &case.inputs());
    }
}

const SHARED_ROWS: [u32; 6] = [1, 0, 1, 3, 0, 1];

#[test]
fn edges_may_share_their_radial_weights() {
    for (form, l) in FORMS.into_iter().flat_map(|form| [(form, 0), (form, 1)]) {
        let shared = Convolution::new(form, [l, 3, 3], &EDGES, NODES, 17).with_shared_weights();
        check_values(&shared, &shared.inputs());
        let small = Convolution::new(form, [l, 1, 1], &EDGES, NODES, 1).with_shared_weights();
        check_gradient(&small, &small.inputs());
        if form != Form::Output {
            continue;
        }
        let apart = Convolution::new(form, [l, 3, 3], &EDGES, NODES, 17);
        let inputs = shared.inputs();
        let len = apart.problem.paths.len() * 17;
        let copied =
            SHARED_ROWS.iter().flat_map(|&row| inputs[2][row as usize * len..][..len].to_vec());
        let copied = vec![inputs[0].clone(), inputs[1].clone(), copied.collect()];
        assert_eq!(values(&shared, &inputs), values(&apart, &copied));
    }
}

#[test]
fn the_backward_of_every_form_is_its_derivative_and_has_a_derivative_itself() {
    for form in FORMS {
        let case = Convolution::new(form, [1, 1, 1], &EDGES[..4], 4, 2);
        check_gradient(&case, &case.inputs());
    }
}

#[test]
fn higher_degrees_differentiate_too() {
    for form in FORMS {
        let case = Convolution::new(form, [1, 2, 2], &EDGES[..2], 3, 1);
        check_gradient(&case, &case.inputs());
    }
}

#[test]
fn no_edges_and_no_nodes_give_zeros_of_the_right_shape() {
    for form in FORMS {
        for (nodes, max_in) in [(0, 0), (0, 1), (2, 0), (2, 1)] {
            let case = Convolution::new(form, [max_in, 1, 1], &[], nodes, 3);
            let (got, _) = values(&case, &case.inputs());
            let per_node = match form {
                Form::Output => case.problem.paths.num_outputs(),
                Form::Features => case.problem.paths.num_inputs(),
                Form::Harmonics | Form::Radial => 0,
            };
            assert_eq!(got, vec![0.0; nodes * per_node * 3]);
        }
    }
}

#[test]
fn a_nan_reaches_the_nodes_that_receive_it_and_no_other() {
    let case = Convolution::new(Form::Output, [1, 1, 1], &EDGES, NODES, 2);
    let mut inputs = case.inputs();
    let node_len = case.problem.paths.num_inputs() * 2;
    inputs[0][2 * node_len] = f64::NAN;
    let got = values(&case, &inputs).0;
    let spoiled = |node: &[f64]| node.iter().any(|x| x.is_nan());
    let nodes: Vec<bool> = got.chunks(got.len() / NODES).map(spoiled).collect();
    assert_eq!(nodes, [true, false, false, true, false]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    let edges: Vec<[u32; 2]> = (0..600).map(|edge| [edge * 7 % 50, edge / 12]).collect();
    for (form, max_in) in FORMS.into_iter().flat_map(|form| [(form, 0), (form, 1)]) {
        let case = Convolution::new(form, [max_in, 2, 2], &edges, 50, 9);
        let inputs = case.inputs();
        let one = values_with_threads(&case, &inputs, 1);
        assert_eq!(one, values_with_threads(&case, &inputs, 3));
    }
}

/// A rotation by 0.9 about (0.6, 0, 0.8), by Rodrigues' formula.
fn rotation() -> [[f64; 3]; 3] {
    let (n, (s, c)) = ([0.6, 0.0, 0.8], 0.9_f64.sin_cos());
    let cross = [[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]];
    [0, 1, 2].map(|i| {
        [0, 1, 2].map(|j| f64::from(i == j) * c + (1.0 - c) * n[i] * n[j] + s * cross[i][j])
    })
}

/// `x [count, (L + 1)^2, inner]` with every degree rotated; `repeat` rows per component.
fn rotated(x: &[f64], degrees: &[usize], inner: &[usize]) -> Vec<f64> {
    let r = rotation();
    let len: usize = degrees.iter().zip(inner).map(|(l, inner)| (2 * l + 1) * inner).sum();
    let mut out = Vec::with_capacity(x.len());
    for item in x.chunks(len) {
        let mut start = 0;
        for (&l, &inner) in degrees.iter().zip(inner) {
            let (d, size) = (rotation_matrix(l, r), 2 * l + 1);
            for m in 0..size {
                let row = |u: usize| -> f64 {
                    (0..size).map(|n| d[m * size + n] * item[start + n * inner + u]).sum()
                };
                out.extend((0..inner).map(row));
            }
            start += size * inner;
        }
    }
    out
}

#[test]
fn rotating_neighbours_rotates_the_messages() {
    let case = Convolution::new(Form::Output, [2, 3, 3], &EDGES, NODES, 2);
    let inputs = case.inputs();
    let c = case.channels;
    let turned_inputs = vec![
        rotated(&inputs[0], &[0, 1, 2], &[c; 3]),
        rotated(&inputs[1], &[0, 1, 2, 3], &[1; 4]),
        inputs[2].clone(),
    ];
    let inner: Vec<usize> = (0..4).map(|l| case.problem.paths.num_paths_to(l) * c).collect();
    let (_, plain) = values(&case, &inputs);
    let want = rotated(&plain, &[0, 1, 2, 3], &inner);
    let (_, got) = values(&case, &turned_inputs);
    // Each number is a sum of some thousand products below 10 of numbers that hold 1e-15.
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }
    assert!(want.iter().zip(&plain).any(|(a, b)| (a - b).abs() > 0.1), "the rotation did nothing");
}

#[test]
fn the_paths_are_those_of_mace_in_its_order() {
    let degrees = |max_in| -> Vec<[usize; 3]> {
        Paths::new(max_in, 3, 3).iter().map(|path| path.degrees).collect()
    };
    assert_eq!(degrees(0), [[0, 0, 0], [0, 1, 1], [0, 2, 2], [0, 3, 3]]);
    assert_eq!(degrees(1)[..5], [[0, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 2, 1]]);
    assert_eq!(degrees(1)[5..], [[0, 2, 2], [1, 1, 2], [1, 3, 2], [0, 3, 3], [1, 2, 3]]);
    assert_eq!([2, 3].map(|l| degrees(l).len()), [17, 23]);
    let paths = Paths::new(1, 3, 3);
    assert_eq!(paths.iter().map(|path| path.terms.len()).sum::<usize>(), 86);
    assert_eq!([0, 1, 2, 3].map(|l| paths.output_rows(l)), [0..2, 2..11, 11..26, 26..40]);
}

/// What the kernels for scalars rest on.
#[test]
fn scalars_couple_by_the_identity_and_keep_the_rows_of_the_harmonics() {
    for (at, path) in Paths::new(0, 6, 6).iter().enumerate() {
        assert_eq!(
            (path.degrees, path.first_output, path.output_stride),
            ([0, at, at], at * at, 1)
        );
        assert_eq!(path.terms.len(), 2 * at + 1);
        for term in &path.terms {
            let [m1, m2, m3] = term.components;
            assert_eq!((m1, m2), (0, m3));
            assert!((term.value - 1.0).abs() < 1e-15, "{at}: {term:?}");
        }
    }
}

#[test]
fn lists_that_are_no_graph_are_refused_with_the_edge() {
    let lengths = EdgeGraph::new(&[0], &[], 1).expect_err("one end is missing");
    assert_eq!(lengths, EdgeGraphError::Lengths { senders: 1, receivers: 0 });
    let node = EdgeGraph::new(&[0, 2], &[0, 1], 2).expect_err("node 2 does not exist");
    assert_eq!(node, EdgeGraphError::Node { edge: 1, node: 2, num_nodes: 2 });
    let order = EdgeGraph::new(&[0, 1], &[1, 0], 2).expect_err("receivers decrease");
    assert_eq!(order, EdgeGraphError::Order { edge: 1, receiver: 0, previous: 1 });
}

#[test]
#[should_panic(expected = "convolution: `radial` is [6, 4, 2] but must be [6, 4, 3]")]
fn a_wrong_shape_is_named() {
    let case = Convolution::new(Form::Output, [1, 1, 1], &EDGES, NODES, 3);
    let device = burn::tensor::Device::<Cpu>::default();
    let features = Tensor::<Cpu, 3>::zeros(case.features_shape(), &device);
    let harmonics = Tensor::zeros(case.harmonics_shape(), &device);
    let _ = convolution::convolution(
        features,
        harmonics,
        Tensor::zeros([6, 4, 2], &device),
        &case.problem,
    );
}

#[test]
fn the_cost_of_one_path_is_counted_by_hand() {
    // One path of scalars: per channel 1 product and 1 multiply-add, once per edge 1 coefficient.
    let extent = roofline::Extent { num_nodes: 2, num_edges: 5, channels: 3, element_bytes: 4 };
    let work = roofline::forward(&Paths::new(0, 0, 0), extent);
    let bytes = 4 * (2 * 2 * 3 + 5 * (3 + 1)) + 5 * 2 * 4;
    assert_eq!(
        [work.flops, work.bytes].map(f64::to_bits),
        [55.0, f64::from(bytes)].map(f64::to_bits)
    );
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    let graph = || EdgeGraph::new(&[0], &[1], 2).expect("an edge of two nodes");
    let of = move || ConvolutionProblem::new(Arc::new(Paths::new(0, 0, 0)), Arc::new(graph()));
    let nodes = |channels: usize| zeros([2, 1, channels]);
    let radial = || zeros([1, 1, 3]);
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
    ]
}
