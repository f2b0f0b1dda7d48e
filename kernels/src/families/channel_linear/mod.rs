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

#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use op::{Slot, tracked};

use crate::RowIndex;
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

    /// Asserts the shapes of what is given; N.
    pub(crate) fn check(
        &self,
        operation: &str,
        x: Option<[usize; 3]>,
        weights: Option<[usize; 1]>,
        grad: Option<[usize; 3]>,
    ) -> usize {
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
        num_nodes
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
