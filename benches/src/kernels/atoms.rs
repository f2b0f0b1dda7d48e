//! Kernels of equivariant networks, on a graph without pattern.

use std::hint::black_box;
use std::sync::Arc;

use burn::tensor::Tensor;
use genesis_kernels::{
    ChannelLinear, ContractionProblem, ConvolutionProblem, DegreeMap, EdgeGraph, Kernels,
    MixingMatrix, Paths, RadialBasis, RowIndex, RowMixing, SiluNetwork, Term, Terms,
    channel_linear, contraction, convolution, radial_basis, row_mixing, rows, silu, silu_network,
    slope, spherical_harmonics,
};

use super::case::KernelCase;
use super::shapes::{Atoms, ShapeSet};
use super::tensors::{Place, bytes, scattered};
use crate::ceiling::Arithmetic::{self, F32, F64};

/// Gradient, features, harmonics, radial weights.
type FormSlots<B> = (Tensor<B, 3>, Tensor<B, 3>, Tensor<B, 2>, Tensor<B, 3>);
/// Inputs, a direction, gradient, coefficients.
type PolynomialSlots<B> = [Tensor<B, 3>; 4];

const HARMONICS: usize = 3;
const SPECIES: usize = 3;
const RADIAL_WIDTHS: [usize; 4] = [8, 64, 64, 64];

pub(super) fn cases<B: Kernels>(at: &Place<B>, set: ShapeSet) -> Vec<KernelCase> {
    let a = set.atoms();
    let mut all = Vec::new();
    for arithmetic in at.can([F32, F64]) {
        // Features of the first layer are scalars.
        all.extend(convolutions(at, Atoms { degree: 0, ..a }, arithmetic));
        all.extend(convolutions(at, a, arithmetic));
        all.extend(contractions(at, a, arithmetic));
        all.extend(channel_maps(at, a, arithmetic));
        all.extend(networks(at, a, arithmetic));
    }
    all.push(bessel_functions(at, a));
    all.extend(harmonics(at, a));
    all.extend(edges(at, a));
    all
}

/// The graph: every node has as many neighbours, an edge and the next share a length.
fn graph(a: Atoms) -> EdgeGraph {
    let senders = scattered(a.edges(), a.nodes);
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let receivers: Vec<u32> = (0..a.edges()).map(|edge| number(edge / a.neighbors)).collect();
    let rows: Vec<u32> = (0..a.edges()).map(|edge| number(edge % a.rows())).collect();
    let graph = EdgeGraph::new(&senders, &receivers, a.nodes);
    graph.unwrap_or_else(|error| unreachable!("{error}")).with_shared_weights(&rows, a.rows())
}

fn convolutions<B: Kernels>(at: &Place<B>, a: Atoms, arithmetic: Arithmetic) -> Vec<KernelCase> {
    let paths = Arc::new(Paths::new(a.degree, HARMONICS, HARMONICS));
    let problem = ConvolutionProblem::new(paths.clone(), Arc::new(graph(a)));
    let extent = convolution::roofline::Extent {
        num_nodes: a.nodes,
        num_edges: a.edges(),
        channels: a.channels,
        element_bytes: bytes(arithmetic),
    };
    let shape = format!("{} nodes {} edges c{} l{}", a.nodes, a.edges(), a.channels, a.degree);
    let sizes = [paths.num_inputs(), paths.num_outputs(), paths.num_harmonics(), paths.len()];
    let tensors = move |at: &Place<B>| {
        let [inputs, outputs, harmonics, paths] = sizes;
        (
            at.normal([a.nodes, outputs, a.channels], arithmetic),
            at.normal([a.nodes, inputs, a.channels], arithmetic),
            at.normal([a.edges(), harmonics], arithmetic),
            at.normal([a.rows(), paths, a.channels], arithmetic),
        )
    };
    let case = |operation, work, run: fn(FormSlots<B>, &ConvolutionProblem)| {
        let problem = problem.clone();
        KernelCase::new(
            at,
            ["convolution", operation],
            shape.clone(),
            arithmetic,
            work,
            move |at| {
                let (slots, problem) = (tensors(at), problem.clone());
                Box::new(move || run(slots.clone(), &problem))
            },
        )
    };
    vec![
        case("forward", convolution::roofline::forward(&paths, extent), |(_, h, y, r), p| {
            black_box(convolution::convolution(h, y, r, p));
        }),
        case("features", convolution::roofline::features(&paths, extent), |(g, _, y, r), p| {
            black_box(convolution::convolution_features(g, y, r, p));
        }),
        case("harmonics", convolution::roofline::harmonics(&paths, extent), |(g, h, _, r), p| {
            black_box(convolution::convolution_harmonics(g, h, r, p));
        }),
        case("radial", convolution::roofline::radial(&paths, extent), |(g, h, y, _), p| {
            black_box(convolution::convolution_radial(g, h, y, p));
        }),
    ]
}

/// All monomials to order 3 whose parity and triangle rules do not matter here: as many as a network
/// of degree 3 has to its scalars, some 90, for every output.
fn terms(a: Atoms) -> Terms {
    let inputs = u16::try_from((HARMONICS + 1).pow(2)).unwrap_or(u16::MAX);
    let outputs = u16::try_from((a.degree + 1).pow(2)).unwrap_or(u16::MAX);
    let mut list = Vec::new();
    for output in 0..outputs {
        list.push(Term { output, indices: [output, 0, 0], order: 1 });
        list.extend((0..inputs).map(|i| Term { output, indices: [i, i, 0], order: 2 }));
        for (i, j, k) in (0..inputs)
            .flat_map(|i| (i..inputs).flat_map(move |j| (j..inputs).map(move |k| (i, j, k))))
        {
            if (i + j + k + output) % 11 == 0 {
                list.push(Term { output, indices: [i, j, k], order: 3 });
            }
        }
    }
    Terms::new(inputs.into(), outputs.into(), list)
}

fn species(a: Atoms) -> Vec<u32> {
    scattered(a.nodes, SPECIES)
}

fn contractions<B: Kernels>(at: &Place<B>, a: Atoms, arithmetic: Arithmetic) -> Vec<KernelCase> {
    let terms = Arc::new(terms(a));
    let extent = contraction::roofline::Extent {
        num_nodes: a.nodes,
        num_species: SPECIES,
        channels: a.channels,
        element_bytes: bytes(arithmetic),
    };
    let shape = format!("{} nodes {} terms c{}", a.nodes, terms.list().len(), a.channels);
    let problem = ContractionProblem::new(terms.clone(), species(a).into());
    let sizes = [terms.num_inputs(), terms.num_outputs(), terms.list().len()];
    let case = |operation, work, run: fn(PolynomialSlots<B>, &ContractionProblem)| {
        let problem = problem.clone();
        KernelCase::new(
            at,
            ["contraction", operation],
            shape.clone(),
            arithmetic,
            work,
            move |at| {
                let [inputs, outputs, terms] = sizes;
                let of = |rows, count| at.normal([count, rows, a.channels], arithmetic);
                let slots = [
                    of(inputs, a.nodes),
                    of(inputs, a.nodes),
                    of(outputs, a.nodes),
                    of(terms, SPECIES),
                ];
                let problem = problem.clone();
                Box::new(move || run(slots.clone(), &problem))
            },
        )
    };
    let forward = contraction::roofline::forward(&terms, extent);
    let input = contraction::roofline::input(&terms, extent);
    let coefficients = contraction::roofline::coefficients(&terms, extent);
    let moving = contraction::roofline::moving;
    vec![
        case("forward", forward, |[x, _, _, k], p| {
            black_box(contraction::contraction(x, k, p));
        }),
        case("input", input, |[x, _, g, k], p| {
            black_box(contraction::contraction_input(g, x, k, p));
        }),
        case("coefficients", coefficients, |[x, _, g, _], p| {
            black_box(contraction::contraction_coefficients(g, x, SPECIES, p));
        }),
        case("tangent", moving(forward), |[x, v, _, k], p| {
            black_box(contraction::contraction_tangent(v, x, k, p));
        }),
        case("input_tangent", moving(input), |[x, v, g, k], p| {
            black_box(contraction::contraction_input_tangent(v, g, x, k, p));
        }),
        case("coefficients_tangent", moving(coefficients), |[x, v, g, _], p| {
            black_box(contraction::contraction_coefficients_tangent(v, g, x, SPECIES, p));
        }),
    ]
}

fn channel_maps<B: Kernels>(at: &Place<B>, a: Atoms, arithmetic: Arithmetic) -> Vec<KernelCase> {
    let map = |by_species: bool| ChannelLinear {
        degrees: vec![DegreeMap { copies: 1, factor: 0.1 }; HARMONICS + 1].into(),
        channels: a.channels,
        species: by_species.then(|| RowIndex::new(&species(a), SPECIES)),
    };
    let rows = (HARMONICS + 1).pow(2);
    let case = |operation, by_species, run: fn(Tensor<B, 3>, Tensor<B, 1>, &ChannelLinear)| {
        let map = map(by_species);
        let of = if by_species { "by species" } else { "" };
        let shape = format!("{} nodes c{} {of}", a.nodes, a.channels);
        let work = channel_linear::roofline::form(&map, a.nodes, bytes(arithmetic));
        KernelCase::new(at, ["channel_linear", operation], shape, arithmetic, work, move |at| {
            let x = at.normal([a.nodes, rows, a.channels], arithmetic);
            let (weights, map) = (at.normal([map.num_weights()], arithmetic), map.clone());
            Box::new(move || run(x.clone(), weights.clone(), &map))
        })
    };
    let mut all = Vec::new();
    for by_species in [false, true] {
        all.push(case("forward", by_species, |x, w, map| {
            black_box(channel_linear::channel_linear(x, w, map));
        }));
        all.push(case("input", by_species, |x, w, map| {
            let rows = x.dims()[1];
            black_box(channel_linear::channel_linear_input(x, w, rows, map));
        }));
        all.push(case("weight", by_species, |x, _, map| {
            black_box(channel_linear::channel_linear_weight(x.clone(), x, map));
        }));
    }
    all
}

fn networks<B: Kernels>(at: &Place<B>, a: Atoms, arithmetic: Arithmetic) -> Vec<KernelCase> {
    let network = SiluNetwork::new(RADIAL_WIDTHS.to_vec(), vec![0.3, 0.12, 0.12]);
    let (num_rows, size) = (a.rows(), bytes(arithmetic));
    let shape = format!("{num_rows} rows 8-64-64-64");
    let work = [
        silu_network::roofline::forward(&network, num_rows, size),
        silu_network::roofline::backward(&network, num_rows, size),
    ];
    let tensors = move |at: &Place<B>, network: &SiluNetwork| {
        let weights = at.normal([network.num_weights()], arithmetic);
        let [curve, grad] = [8, 64].map(|width| at.normal([2, num_rows, width], arithmetic));
        (curve, weights, grad)
    };
    let second = network.clone();
    let dtype = arithmetic;
    vec![
        KernelCase::new(
            at,
            ["silu_network", "forward"],
            shape.clone(),
            dtype,
            work[0],
            move |at| {
                let ((curve, weights, _), network) = (tensors(at, &network), network.clone());
                Box::new(move || {
                    black_box(silu_network::silu_network(curve.clone(), weights.clone(), &network));
                })
            },
        ),
        KernelCase::new(at, ["silu_network", "backward"], shape, dtype, work[1], move |at| {
            let ((curve, weights, grad), network) = (tensors(at, &second), second.clone());
            Box::new(move || {
                let (g, x, w) = (grad.clone(), curve.clone(), weights.clone());
                black_box(silu_network::silu_network_backward(g, x, w, &network));
            })
        }),
    ]
}

fn harmonics<B: Kernels>(at: &Place<B>, a: Atoms) -> Vec<KernelCase> {
    let (count, columns) = (a.edges(), (HARMONICS + 1).pow(2));
    let shape = format!("{count} edges l{HARMONICS}");
    let forward = spherical_harmonics::roofline::forward(count, HARMONICS, 4);
    let backward = spherical_harmonics::roofline::backward(count, HARMONICS, 4);
    vec![
        KernelCase::new(
            at,
            ["spherical_harmonics", "forward"],
            shape.clone(),
            F32,
            forward,
            move |at| {
                let vectors = at.normal([count, 3], F32);
                Box::new(move || {
                    black_box(spherical_harmonics::spherical_harmonics(vectors.clone(), HARMONICS));
                })
            },
        ),
        KernelCase::new(at, ["spherical_harmonics", "backward"], shape, F32, backward, move |at| {
            let (grad, vectors) = (at.normal([count, columns], F32), at.normal([count, 3], F32));
            Box::new(move || {
                black_box(spherical_harmonics::spherical_harmonics_backward(
                    grad.clone(),
                    vectors.clone(),
                ));
            })
        }),
    ]
}

/// Bessel functions of the lengths of all edges.
fn bessel_functions<B: Kernels>(at: &Place<B>, a: Atoms) -> KernelCase {
    let (count, basis) = (a.edges(), RadialBasis { num: 8, radius: 5.0, power: 5 });
    let work = radial_basis::roofline::forward(count, basis.num, 4);
    let shape = format!("{count} lengths k{}", basis.num);
    KernelCase::new(at, ["radial_basis", "forward"], shape, F32, work, move |at| {
        let lengths = at.normal([count, 1], F32).abs().add_scalar(0.5);
        Box::new(move || {
            black_box(radial_basis::radial_basis(lengths.clone(), &basis));
        })
    })
}

/// What moves along edges and rows.
fn edges<B: Kernels>(at: &Place<B>, a: Atoms) -> Vec<KernelCase> {
    let (count, nodes, width) = (a.edges(), a.nodes, a.channels);
    let index = RowIndex::new(&scattered(count, nodes), nodes);
    let shape = format!("{count} items of {nodes} x {width}");
    let (gather, sum) = (index.clone(), index);
    let work =
        [rows::roofline::gather(count, width, 4), rows::roofline::sum(count, width, nodes, 4)];
    let mut all = vec![
        KernelCase::new(at, ["rows", "gather"], shape.clone(), F32, work[0], move |at| {
            let (x, index) = (at.normal([nodes, width], F32), gather.clone());
            Box::new(move || {
                black_box(rows::gather_rows(x.clone(), &index));
            })
        }),
        KernelCase::new(at, ["rows", "sum"], shape, F32, work[1], move |at| {
            let (x, index) = (at.normal([count, width], F32), sum.clone());
            Box::new(move || {
                black_box(rows::sum_rows(x.clone(), &index));
            })
        }),
        mixing(at, a),
    ];
    all.extend(curves(at, a.rows(), 10 * a.channels));
    all
}

fn curves<B: Kernels>(at: &Place<B>, count: usize, width: usize) -> Vec<KernelCase> {
    let elements = count * width;
    let case = |names, work, prepare: fn(&Place<B>, [usize; 2]) -> _| {
        KernelCase::new(at, names, format!("{count} x {width}"), F32, work, move |at| {
            prepare(at, [count, width])
        })
    };
    vec![
        case(["slope", "dot_rows"], slope::roofline::dot(count, width, 4), |at, shape| {
            let [a, b] = [0; 2].map(|_: u8| at.normal(shape, F32));
            Box::new(move || {
                black_box(slope::dot_rows(a.clone(), b.clone()));
            })
        }),
        case(["slope", "scale_rows"], slope::roofline::scale(count, width, 4), |at, shape| {
            let (scales, a) = (at.normal([shape[0], 1], F32), at.normal(shape, F32));
            Box::new(move || {
                black_box(slope::scale_rows(scales.clone(), a.clone()));
            })
        }),
        case(["silu", "forward"], silu::roofline::forward(elements, 4), |at, shape| {
            let x = at.normal(shape, F32);
            Box::new(move || {
                black_box(silu::silu(x.clone()));
            })
        }),
        case(["silu", "slope"], silu::roofline::slope(elements, 4), |at, shape| {
            let [a, x] = [0; 2].map(|_: u8| at.normal(shape, F32));
            Box::new(move || {
                black_box(silu::silu_slope(a.clone(), x.clone()));
            })
        }),
        case(["silu", "bend"], silu::roofline::bend(elements, 4), |at, shape| {
            let [a, b, x] = [0; 3].map(|_: u8| at.normal(shape, F32));
            Box::new(move || {
                black_box(silu::silu_bend(a.clone(), b.clone(), x.clone()));
            })
        }),
    ]
}

/// Coefficients of the monomials of [`terms`] from a dozen weights each output, a third of them.
fn mixing<B: Kernels>(at: &Place<B>, a: Atoms) -> KernelCase {
    let (t, k) = (terms(a).list().len(), 12 * (a.degree + 1).pow(2));
    let dense: Vec<f64> = (0..t * k).map(|at| if at % 7 < 2 { 0.5 } else { 0.0 }).collect();
    let mixing = RowMixing {
        matrix: Arc::new(MixingMatrix::new(&dense, k)),
        tables: (0..SPECIES).collect(),
        num_tables: SPECIES,
    };
    let work = row_mixing::roofline::form(&mixing, a.channels, 4);
    let shape = format!("{SPECIES} x {t} of {k} c{}", a.channels);
    KernelCase::new(at, ["row_mixing", "forward"], shape, F32, work, move |at| {
        let (weights, mixing) = (at.normal([SPECIES, k, a.channels], F32), mixing.clone());
        Box::new(move || {
            black_box(row_mixing::mix_rows(weights.clone(), &mixing));
        })
    })
}
