//! The four forms on the CPU, f32 and f64.
//!
//! Two forms sum over the edges of a node (`node.rs`), two write per edge (`edge.rs`). All take a
//! pack of edges at a time, contract the harmonics with the coefficients for those edges side by
//! side (`mix.rs`), then run over channels side by side. One thread writes a row of the result.

mod edge;
mod mix;
mod node;

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::ConvolutionProblem;
use crate::cpu::{input, is_f64, output};

/// [`Kernels::convolution`](crate::Kernels::convolution).
pub(crate) fn forward(
    features: Tensor<Flex, 3>,
    harmonics: Tensor<Flex, 2>,
    radial: Tensor<Flex, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 3> {
    let shapes = (Some(features.dims()), Some(harmonics.dims()), Some(radial.dims()));
    let sizes = problem.check("convolution", None, shapes.0, shapes.1, shapes.2);
    let double = is_f64("convolution", &[features.dtype(), harmonics.dtype(), radial.dtype()]);
    let call = node::Call {
        form: &problem.paths.plan().to_receivers,
        owners: problem.graph.receivers(),
        others: problem.graph.senders(),
        weights: problem.graph.weights(),
        rows: [problem.paths.num_inputs(), problem.paths.num_outputs()],
        sizes,
        paths: &problem.paths,
    };
    let shape = [sizes.num_nodes, problem.paths.num_outputs(), sizes.channels];
    let (x, y, r) = (input(features), input(harmonics), input(radial));
    if double {
        output(call.run::<f64>(&x, &y, &r), shape)
    } else {
        output(call.run::<f32>(&x, &y, &r), shape)
    }
}

/// [`Kernels::convolution_features`](crate::Kernels::convolution_features).
pub(crate) fn features(
    grad: Tensor<Flex, 3>,
    harmonics: Tensor<Flex, 2>,
    radial: Tensor<Flex, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 3> {
    let shapes = (Some(grad.dims()), Some(harmonics.dims()), Some(radial.dims()));
    let sizes = problem.check("convolution_features", shapes.0, None, shapes.1, shapes.2);
    let double = is_f64("convolution_features", &[grad.dtype(), harmonics.dtype(), radial.dtype()]);
    let call = node::Call {
        form: &problem.paths.plan().to_senders,
        owners: problem.graph.senders(),
        others: problem.graph.receivers(),
        weights: problem.graph.weights(),
        rows: [problem.paths.num_outputs(), problem.paths.num_inputs()],
        sizes,
        paths: &problem.paths,
    };
    let shape = [sizes.num_nodes, problem.paths.num_inputs(), sizes.channels];
    let (x, y, r) = (input(grad), input(harmonics), input(radial));
    if double {
        output(call.run::<f64>(&x, &y, &r), shape)
    } else {
        output(call.run::<f32>(&x, &y, &r), shape)
    }
}

/// [`Kernels::convolution_harmonics`](crate::Kernels::convolution_harmonics).
pub(crate) fn harmonics(
    grad: Tensor<Flex, 3>,
    features: Tensor<Flex, 3>,
    radial: Tensor<Flex, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 2> {
    let shapes = (Some(grad.dims()), Some(features.dims()), Some(radial.dims()));
    let sizes = problem.check("convolution_harmonics", shapes.0, shapes.1, None, shapes.2);
    let double = is_f64("convolution_harmonics", &[grad.dtype(), features.dtype(), radial.dtype()]);
    let shape = [sizes.num_edges, problem.paths.num_harmonics()];
    let (g, x, r) = (input(grad), input(features), input(radial));
    if double {
        output(edge::harmonics::<f64>(&g, &x, &r, problem, sizes), shape)
    } else {
        output(edge::harmonics::<f32>(&g, &x, &r, problem, sizes), shape)
    }
}

/// [`Kernels::convolution_radial`](crate::Kernels::convolution_radial).
pub(crate) fn radial(
    grad: Tensor<Flex, 3>,
    features: Tensor<Flex, 3>,
    harmonics: Tensor<Flex, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 3> {
    let shapes = (Some(grad.dims()), Some(features.dims()), Some(harmonics.dims()));
    let sizes = problem.check("convolution_radial", shapes.0, shapes.1, shapes.2, None);
    let double = is_f64("convolution_radial", &[grad.dtype(), features.dtype(), harmonics.dtype()]);
    let shape = [sizes.num_weights, problem.paths.len(), sizes.channels];
    let (g, x, y) = (input(grad), input(features), input(harmonics));
    if double {
        output(edge::radial::<f64>(&g, &x, &y, problem, sizes), shape)
    } else {
        output(edge::radial::<f32>(&g, &x, &y, problem, sizes), shape)
    }
}
