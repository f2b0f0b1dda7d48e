//! Linear maps between channels: a matrix for every degree, the same for its 2 l + 1 components, and
//! where wanted another for every species of nodes.
//!
//! ```text
//! letters   N nodes, C channels, S species, z(n) species of n; degree l has P_l copies as input, so
//!           I_l = P_l C inputs for each component; factor f_l
//! maths     y[n, l m, w] = f_l sum over u of x[n, l m, u] W_l[u, z(n), w]
//! forms     <g, y> is linear in each of x, W and g. The gradient in one slot is the form with that
//!           slot open: y, dx, dW; each form's own derivatives are the other forms again.
//! layout    x [N, M, C], its block of l is [2 l + 1, P_l, C], l ascending; what lies behind the last
//!           block is not read and has gradient 0; y, g [N, (max l + 1)^2, C]; weights flat, W_l
//!           [I_l, S, C], l ascending
//! dtypes    f32 or f64
//! ordering  sums over u and over nodes ascending: the same bits for any number of threads
//! empty     N = 0 is valid; a species without nodes has gradient 0
//! source    `Linear` and `FullyConnectedTensorProduct` of Geiger and Smidt, "e3nn", arXiv:2207.09453
//! ```

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix, feature = "wgpu")))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(feature = "cuda")]
mod tensors;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::RowIndex;
use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

/// The map of one degree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DegreeMap {
    /// `P_l`
    pub copies: usize,
    /// `f_l`
    pub factor: f64,
}

/// Sizes of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelLinear {
    /// Degree 0, 1, and so on.
    pub degrees: Arc<[DegreeMap]>,
    /// `C`
    pub channels: usize,
    /// Row of every node among the S species; none where all nodes have one matrix.
    pub species: Option<RowIndex>,
}

/// One degree as the kernels walk it.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// `2 l + 1`
    components: usize,
    /// First row of its input among M.
    first_input: usize,
    /// First row of its output.
    first_output: usize,
    /// First of its weights.
    first_weight: usize,
    /// `I_l`
    inputs: usize,
    factor: f64,
}

impl ChannelLinear {
    /// `S`
    pub fn num_species(&self) -> usize {
        self.species.as_ref().map_or(1, RowIndex::num_rows)
    }

    /// Rows of an output, `(max l + 1)^2`.
    pub fn num_outputs(&self) -> usize {
        self.degrees.len() * self.degrees.len()
    }

    /// Rows of an input that are read.
    pub fn num_inputs(&self) -> usize {
        self.degrees.iter().enumerate().map(|(l, degree)| (2 * l + 1) * degree.copies).sum()
    }

    /// Numbers of the weights.
    pub fn num_weights(&self) -> usize {
        let copies: usize = self.degrees.iter().map(|degree| degree.copies).sum();
        copies * self.channels * self.num_species() * self.channels
    }

    fn blocks(&self) -> impl Iterator<Item = Block> {
        let (mut first_input, mut first_weight) = (0, 0);
        let (channels, num_species) = (self.channels, self.num_species());
        self.degrees.iter().enumerate().map(move |(l, degree)| {
            let inputs = degree.copies * channels;
            let block = Block {
                components: 2 * l + 1,
                first_input,
                first_output: l * l,
                first_weight,
                inputs,
                factor: degree.factor,
            };
            first_input += block.components * degree.copies;
            first_weight += inputs * num_species * channels;
            block
        })
    }

    /// Asserts the shapes of what is given.
    fn check(
        &self,
        operation: &str,
        x: Option<[usize; 3]>,
        weights: Option<[usize; 1]>,
        grad: Option<[usize; 3]>,
    ) {
        let num_nodes = x.or(grad).map_or(0, |dims| dims[0]);
        let because = "the map fixes C and the rows, the other input N";
        if let Some([nodes, rows, channels]) = x {
            let want = [num_nodes, rows.max(self.num_inputs()), self.channels];
            assert_shape(operation, "x", [nodes, rows, channels], want, because);
        }
        if let Some(got) = grad {
            let want = [num_nodes, self.num_outputs(), self.channels];
            assert_shape(operation, "grad", got, want, because);
        }
        if let Some(got) = weights {
            assert_shape(operation, "weights", got, [self.num_weights()], "the map fixes it");
        }
        if let Some(species) = &self.species {
            let because = "a species for every node";
            assert_shape(operation, "species", [species.num_items()], [num_nodes], because);
        }
    }
}

impl Block {
    /// Its rows in an input.
    fn input_rows(&self, channels: usize) -> Range<usize> {
        self.first_input..self.first_input + self.components * self.inputs / channels
    }

    /// Its rows in an output.
    fn output_rows(&self) -> Range<usize> {
        self.first_output..self.first_output + self.components
    }

    /// Its weights, `[I_l, S, C]`.
    fn weights(&self, num_species: usize, channels: usize) -> Range<usize> {
        self.first_weight..self.first_weight + self.inputs * num_species * channels
    }
}

kernels! {
    pub trait ChannelLinearKernels: Backend {
        fn channel_linear(
            x: Tensor<Self, 3>,
            weights: Tensor<Self, 1>,
            map: &ChannelLinear,
        ) -> Tensor<Self, 3> {
            reference::forward(&x, &weights, map)
        }
        fn channel_linear_input(
            grad: Tensor<Self, 3>,
            weights: Tensor<Self, 1>,
            num_rows: usize,
            map: &ChannelLinear,
        ) -> Tensor<Self, 3> {
            reference::input(&grad, &weights, num_rows, map)
        }
        fn channel_linear_weight(
            grad: Tensor<Self, 3>,
            x: Tensor<Self, 3>,
            map: &ChannelLinear,
        ) -> Tensor<Self, 1> {
            reference::weight(&grad, &x, map)
        }
    }
    cpu {
        channel_linear: cpu::forward,
        channel_linear_input: cpu::input,
        channel_linear_weight: cpu::weight,
    }
    cuda {
        channel_linear: tensors::forward,
        channel_linear_input: tensors::input,
        channel_linear_weight: tensors::weight,
    }
    wgpu {}
    autodiff {
        channel_linear: |x: Tensor<_, 3>, weights, map| {
            let num_rows = x.dims()[1];
            op::tracked(op::Slot::Grad, x, weights, num_rows, map)
        },
        channel_linear_input: |grad, weights, num_rows, map| {
            op::tracked(op::Slot::Input, grad, weights, num_rows, map)
        },
        channel_linear_weight: |grad, x: Tensor<_, 3>, map| {
            let num_rows = x.dims()[1];
            op::tracked(op::Slot::Weights, grad, x, num_rows, map)
        },
    }
}

/// `[N, M, C] -> [N, (max l + 1)^2, C]`.
pub fn channel_linear<B: ChannelLinearKernels>(
    x: Tensor<B, 3>,
    weights: Tensor<B, 1>,
    map: &ChannelLinear,
) -> Tensor<B, 3> {
    map.check("channel_linear", Some(x.dims()), Some(weights.dims()), None);
    <B as ChannelLinearKernels>::channel_linear(CHECKED, x, weights, map)
}

/// Gradient of x, of `num_rows` rows a node.
pub fn channel_linear_input<B: ChannelLinearKernels>(
    grad: Tensor<B, 3>,
    weights: Tensor<B, 1>,
    num_rows: usize,
    map: &ChannelLinear,
) -> Tensor<B, 3> {
    let (name, dims) = ("channel_linear_input", [grad.dims()[0], num_rows, map.channels]);
    map.check(name, Some(dims), Some(weights.dims()), Some(grad.dims()));
    <B as ChannelLinearKernels>::channel_linear_input(CHECKED, grad, weights, num_rows, map)
}

/// Gradient of the weights.
pub fn channel_linear_weight<B: ChannelLinearKernels>(
    grad: Tensor<B, 3>,
    x: Tensor<B, 3>,
    map: &ChannelLinear,
) -> Tensor<B, 1> {
    map.check("channel_linear_weight", Some(x.dims()), None, Some(grad.dims()));
    <B as ChannelLinearKernels>::channel_linear_weight(CHECKED, grad, x, map)
}
