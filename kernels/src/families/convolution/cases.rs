//! Messages of a layer on a graph without pattern; features of the first layer are scalars.

use std::hint::black_box;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::{ConvolutionKernels, ConvolutionProblem, EdgeGraph, Paths, roofline};
use super::{convolution, convolution_features, convolution_harmonics, convolution_radial};
use crate::cases::Arithmetic::{self, F32, F64};
use crate::cases::{Atoms, Case, HARMONICS, Place, Sizes, scattered};

/// Gradient, features, harmonics, radial weights.
type Slots<B> = (Tensor<B, 3>, Tensor<B, 3>, Tensor<B, 2>, Tensor<B, 3>);

pub(crate) fn cases<B: ConvolutionKernels>(at: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let degrees = [0, sizes.atoms.degree];
    let of = |it| degrees.map(|degree| forms(Atoms { degree, ..sizes.atoms }, it));
    at.can([F32, F64]).into_iter().flat_map(of).flatten().collect()
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

fn forms<B: ConvolutionKernels>(a: Atoms, arithmetic: Arithmetic) -> [Case<B>; 4] {
    let paths = Arc::new(Paths::new(a.degree, HARMONICS, HARMONICS));
    let problem = ConvolutionProblem::new(paths.clone(), Arc::new(graph(a)));
    let extent = roofline::Extent {
        num_nodes: a.nodes,
        num_edges: a.edges(),
        channels: a.channels,
        element_bytes: arithmetic.bytes(),
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
    let case = |operation, work, run: fn(Slots<B>, &ConvolutionProblem)| {
        let problem = problem.clone();
        Case::new(operation, shape.clone(), arithmetic, work, move |at| {
            let (slots, problem) = (tensors(at), problem.clone());
            move || run(slots.clone(), &problem)
        })
    };
    [
        case("forward", roofline::forward(&paths, extent), |(_, h, y, r), p| {
            black_box(convolution(h, y, r, p));
        }),
        case("features", roofline::features(&paths, extent), |(g, _, y, r), p| {
            black_box(convolution_features(g, y, r, p));
        }),
        case("harmonics", roofline::harmonics(&paths, extent), |(g, h, _, r), p| {
            black_box(convolution_harmonics(g, h, r, p));
        }),
        case("radial", roofline::radial(&paths, extent), |(g, h, y, _), p| {
            black_box(convolution_radial(g, h, y, p));
        }),
    ]
}
