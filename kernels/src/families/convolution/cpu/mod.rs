//! The four forms on the CPU, f32 and f64.
//!
//! Two forms sum over the edges of a node (`node.rs`), two write per edge (`edge.rs`). All take a
//! pack of edges at a time, contract the harmonics with the coefficients for those edges side by
//! side (`mix.rs`), then run over channels side by side. One thread writes a row of the result.
//! Features that are scalars need no coefficients: their forms are in `scalars.rs`.

mod edge;
mod mix;
mod node;
mod scalars;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::op::Slot;
use super::{ConvolutionProblem, Sizes};
use crate::cpu::{Element, input, is_f64, output};

/// [`convolution`](fn@crate::families::convolution::convolution).
pub(crate) fn forward(
    features: Tensor<Flex, 3>,
    harmonics: Tensor<Flex, 2>,
    radial: Tensor<Flex, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 3> {
    let sizes = problem.sizes(features.dims()[2]);
    let double = is_f64("convolution", &[features.dtype(), harmonics.dtype(), radial.dtype()]);
    let shape = [sizes.num_nodes, problem.paths.num_outputs(), sizes.channels];
    let others = [input(features), input(harmonics), input(radial)];
    form(Slot::Grad, &others, double, problem, sizes, shape)
}

/// [`convolution_features`](fn@crate::families::convolution::convolution_features).
pub(crate) fn features(
    grad: Tensor<Flex, 3>,
    harmonics: Tensor<Flex, 2>,
    radial: Tensor<Flex, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let double = is_f64("convolution_features", &[grad.dtype(), harmonics.dtype(), radial.dtype()]);
    let shape = [sizes.num_nodes, problem.paths.num_inputs(), sizes.channels];
    let others = [input(grad), input(harmonics), input(radial)];
    form(Slot::Features, &others, double, problem, sizes, shape)
}

/// [`convolution_harmonics`](fn@crate::families::convolution::convolution_harmonics).
pub(crate) fn harmonics(
    grad: Tensor<Flex, 3>,
    features: Tensor<Flex, 3>,
    radial: Tensor<Flex, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 2> {
    let sizes = problem.sizes(grad.dims()[2]);
    let double = is_f64("convolution_harmonics", &[grad.dtype(), features.dtype(), radial.dtype()]);
    let shape = [sizes.num_edges, problem.paths.num_harmonics()];
    let others = [input(grad), input(features), input(radial)];
    form(Slot::Harmonics, &others, double, problem, sizes, shape)
}

/// [`convolution_radial`](fn@crate::families::convolution::convolution_radial).
pub(crate) fn radial(
    grad: Tensor<Flex, 3>,
    features: Tensor<Flex, 3>,
    harmonics: Tensor<Flex, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<Flex, 3> {
    let sizes = problem.sizes(grad.dims()[2]);
    let double = is_f64("convolution_radial", &[grad.dtype(), features.dtype(), harmonics.dtype()]);
    let shape = [sizes.num_weights, problem.paths.len(), sizes.channels];
    let others = [input(grad), input(features), input(harmonics)];
    form(Slot::Radial, &others, double, problem, sizes, shape)
}

/// The form with slot `open` open, of its other slots in order.
fn form<const D: usize>(
    open: Slot,
    others: &[FlexTensor; 3],
    double: bool,
    problem: &ConvolutionProblem,
    sizes: Sizes,
    shape: [usize; D],
) -> Tensor<Flex, D> {
    if double {
        output(Slots::<f64>::new(open, others, problem, sizes).form(open), shape)
    } else {
        output(Slots::<f32>::new(open, others, problem, sizes).form(open), shape)
    }
}

/// The tensors of a call; the open slot is empty.
#[derive(Clone, Copy)]
struct Slots<'a, T> {
    problem: &'a ConvolutionProblem,
    sizes: Sizes,
    /// `[N, M_out, C]`
    grad: &'a [T],
    /// `[N, M_in, C]`
    features: &'a [T],
    /// `[E, M_y]`
    harmonics: &'a [T],
    /// `[P, Q, C]`
    radial: &'a [T],
}

impl<'a, T: Element> Slots<'a, T> {
    fn new(
        open: Slot,
        others: &'a [FlexTensor; 3],
        problem: &'a ConvolutionProblem,
        sizes: Sizes,
    ) -> Self {
        let [a, b, c] = others.each_ref().map(T::view);
        let (grad, features, harmonics, radial): (&[T], &[T], &[T], &[T]) = match open {
            Slot::Grad => (&[], a, b, c),
            Slot::Features => (a, &[], b, c),
            Slot::Harmonics => (a, b, &[], c),
            Slot::Radial => (a, b, c, &[]),
        };
        Self { problem, sizes, grad, features, harmonics, radial }
    }

    fn form(self, open: Slot) -> Vec<T> {
        if self.problem.paths.num_inputs() == 1 {
            return scalars::form(self, open);
        }
        match open {
            Slot::Grad => node::to_receivers(self),
            Slot::Features => node::to_senders(self),
            Slot::Harmonics => edge::harmonics(self),
            Slot::Radial => edge::radial(self),
        }
    }
}
