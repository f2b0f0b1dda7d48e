//! The four forms in Burn operations, path by path.
//!
//! Each path first contracts the harmonics with its coefficients to one small matrix per edge,
//! `B[e, m3, m1] = sum over m2 of K[m1,m2,m3] Y[e,m2]`.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::{ConvolutionProblem, Path};
use crate::families::rows::{self, RowIndex};

/// `y`, `[N, M_out, C]`.
pub fn forward<B: Backend>(
    features: Tensor<B, 3>,
    harmonics: &Tensor<B, 2>,
    radial: &Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let sent = gather(features, problem.graph.senders());
    let radial = gather(radial.clone(), problem.graph.weights());
    let message = |(q, path): (usize, &Path)| {
        let turned = mixed(harmonics, path).matmul(rows_of(&sent, path.inputs()));
        (path.degrees[2], turned.mul(radial.clone().narrow(1, q, 1)))
    };
    let messages: Vec<(usize, Tensor<B, 3>)> =
        problem.paths.iter().enumerate().map(message).collect();
    sum(by_degree(&messages), problem.graph.receivers())
}

/// Gradient of the features, `[N, M_in, C]`.
pub fn features<B: Backend>(
    grad: Tensor<B, 3>,
    harmonics: &Tensor<B, 2>,
    radial: &Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let received = gather(grad, problem.graph.receivers());
    let radial = gather(radial.clone(), problem.graph.weights());
    let degree = |l1: usize| {
        let paths = problem.paths.iter().enumerate().filter(|(_, path)| path.degrees[0] == l1);
        let part = |(q, path): (usize, &Path)| {
            let turned = mixed(harmonics, path).swap_dims(1, 2).matmul(outputs(&received, path));
            turned.mul(radial.clone().narrow(1, q, 1))
        };
        let none = || {
            let shape = [received.dims()[0], 2 * l1 + 1, received.dims()[2]];
            Tensor::zeros(shape, (&received.device(), received.dtype()))
        };
        paths.map(part).reduce(Tensor::add).unwrap_or_else(none)
    };
    let blocks = (0..=problem.paths.max_degrees()[0]).map(degree).collect();
    sum(Tensor::cat(blocks, 1), problem.graph.senders())
}

/// Gradient of the harmonics, `[E, M_y]`.
pub fn harmonics<B: Backend>(
    grad: Tensor<B, 3>,
    features: Tensor<B, 3>,
    radial: &Tensor<B, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 2> {
    let sent = gather(features, problem.graph.senders());
    let received = gather(grad, problem.graph.receivers());
    let radial = gather(radial.clone(), problem.graph.weights());
    let place = (&received.device(), received.dtype());
    let degree = |l2: usize| {
        let paths = problem.paths.iter().enumerate().filter(|(_, path)| path.degrees[1] == l2);
        let part = |(q, path): (usize, &Path)| {
            let weighted = outputs(&received, path).mul(radial.clone().narrow(1, q, 1));
            let product = weighted.matmul(rows_of(&sent, path.inputs()).swap_dims(1, 2));
            unmixed(product, path)
        };
        let none = Tensor::zeros([problem.graph.num_edges(), 2 * l2 + 1], place);
        paths.map(part).reduce(Tensor::add).unwrap_or(none)
    };
    Tensor::cat((0..=problem.paths.max_degrees()[1]).map(degree).collect(), 1)
}

/// Gradient of the radial weights, `[P, Q, C]`.
pub fn radial<B: Backend>(
    grad: Tensor<B, 3>,
    features: Tensor<B, 3>,
    harmonics: &Tensor<B, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<B, 3> {
    let sent = gather(features, problem.graph.senders());
    let received = gather(grad, problem.graph.receivers());
    let weight = |path: &Path| {
        let turned = mixed(harmonics, path).matmul(rows_of(&sent, path.inputs()));
        turned.mul(outputs(&received, path)).sum_dim(1)
    };
    sum(Tensor::cat(problem.paths.iter().map(weight).collect(), 1), problem.graph.weights())
}

/// `B`, `[E, 2 l3 + 1, 2 l1 + 1]`.
fn mixed<B: Backend>(harmonics: &Tensor<B, 2>, path: &Path) -> Tensor<B, 3> {
    let [d1, d2, d3] = path.degrees.map(|degree| 2 * degree + 1);
    let edges = harmonics.dims()[0];
    let part = harmonics.clone().narrow(1, path.harmonics().start, d2);
    part.matmul(coefficients(path, harmonics)).reshape([edges, d3, d1])
}

/// The adjoint of [`mixed`]: `[E, 2 l3 + 1, 2 l1 + 1]` to `[E, 2 l2 + 1]`.
fn unmixed<B: Backend>(product: Tensor<B, 3>, path: &Path) -> Tensor<B, 2> {
    let [edges, d3, d1] = product.dims();
    let product = product.reshape([edges, d3 * d1]);
    let matrix = coefficients(path, &product).swap_dims(0, 1);
    product.matmul(matrix)
}

/// `K`, `[2 l2 + 1, (2 l3 + 1) (2 l1 + 1)]`, on the device and in the dtype of `like`.
fn coefficients<B: Backend>(path: &Path, like: &Tensor<B, 2>) -> Tensor<B, 2> {
    let [d1, d2, d3] = path.degrees.map(|degree| 2 * degree + 1);
    let mut values = vec![0.0; d1 * d2 * d3];
    for term in &path.terms {
        let [m1, m2, m3] = term.components;
        values[(m2 * d3 + m3) * d1 + m1] = term.value;
    }
    Tensor::from_data(TensorData::new(values, [d2, d3 * d1]), (&like.device(), like.dtype()))
}

fn rows_of<B: Backend>(x: &Tensor<B, 3>, rows: std::ops::Range<usize>) -> Tensor<B, 3> {
    x.clone().narrow(1, rows.start, rows.len())
}

/// The components of one path in a tensor of the output's layout, `[E, 2 l3 + 1, C]`.
fn outputs<B: Backend>(x: &Tensor<B, 3>, path: &Path) -> Tensor<B, 3> {
    let row = |m3: usize| x.clone().narrow(1, path.first_output + m3 * path.output_stride, 1);
    Tensor::cat((0..path.num_components()).map(row).collect(), 1)
}

/// The output's layout: for each degree the paths inside the components.
fn by_degree<B: Backend>(messages: &[(usize, Tensor<B, 3>)]) -> Tensor<B, 3> {
    let mut blocks = Vec::new();
    for paths in messages.chunk_by(|a, b| a.0 == b.0) {
        let stacked = paths.iter().map(|(_, message)| message.clone().unsqueeze_dim::<4>(2));
        let block: Tensor<B, 4> = Tensor::cat(stacked.collect(), 2);
        blocks.push(block.flatten(1, 2));
    }
    Tensor::cat(blocks, 1)
}

fn gather<B: Backend>(x: Tensor<B, 3>, indices: &RowIndex) -> Tensor<B, 3> {
    let [_, rows, channels] = x.dims();
    let gathered = rows::reference::gather(x.flatten::<2>(1, 2), indices);
    gathered.reshape([indices.num_items(), rows, channels])
}

fn sum<B: Backend>(x: Tensor<B, 3>, indices: &RowIndex) -> Tensor<B, 3> {
    let [_, rows, channels] = x.dims();
    let summed = rows::reference::sum(x.flatten::<2>(1, 2), indices);
    summed.reshape([indices.num_rows(), rows, channels])
}
