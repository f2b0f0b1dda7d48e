//! The two forms that write per node: outputs, and gradients of inputs by the turned matrices.

use std::ops::Range;

use rayon::prelude::*;

use super::super::{Block, ChannelLinear};
use super::{ROWS, by_species};
use crate::cpu::{Full, Job, Plain, Round, Scratch, Set, run};
use crate::matmul::{Matrix, Packed, Target};

/// Multiply-adds that are worth a thread: about 20 microseconds of one core.
const WORTH_A_THREAD: usize = 1 << 20;

/// Which way the matrices are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Output,
    Input,
}

/// One of the two forms.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) map: &'a ChannelLinear,
    pub(super) direction: Direction,
    pub(super) num_nodes: usize,
    /// Rows per node of what is read and of the result.
    pub(super) rows: [usize; 2],
}

impl Call<'_> {
    /// The result of all nodes.
    pub(super) fn run<T: Round + Plain>(self, from: &[T], weights: &[T]) -> Vec<T> {
        let node_len = self.rows[1] * self.map.channels;
        let mut out = vec![T::ZERO; self.num_nodes * node_len];
        if out.is_empty() {
            return out;
        }
        let products = self.map.blocks().map(|b| b.components * b.inputs * self.map.channels);
        let worth = self.num_nodes * products.sum::<usize>() / WORTH_A_THREAD;
        let size = self.num_nodes.div_ceil(worth.clamp(1, rayon::current_num_threads()));
        let part = |(at, out): (usize, &mut [T])| {
            let nodes = at * size..self.num_nodes.min((at + 1) * size);
            run(Part { call: self, from, weights, nodes, out });
        };
        if size == self.num_nodes {
            part((0, &mut out));
        } else {
            out.par_chunks_mut(size * node_len).enumerate().with_max_len(1).for_each(part);
        }
        out
    }

    /// Where a block starts in a node's numbers that are read and in those of the result, and the
    /// numbers of a component in both.
    fn places(&self, block: &Block) -> [[usize; 2]; 2] {
        let input = [block.first_input * self.map.channels, block.inputs];
        let output = [block.first_output * self.map.channels, self.map.channels];
        match self.direction {
            Direction::Output => [input, output],
            Direction::Input => [output, input],
        }
    }
}

/// The result of some nodes.
struct Part<'a, T> {
    call: Call<'a>,
    from: &'a [T],
    weights: &'a [T],
    nodes: Range<usize>,
    out: &'a mut [T],
}

impl<T: Round + Plain> Job for Part<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        let map = self.call.map;
        let [mut rows, mut results] = [Scratch::take(), Scratch::take()];
        for (z, nodes) in by_species(map, self.nodes.clone()) {
            for block in map.blocks() {
                let matrix = self.matrix::<S>(&block, z);
                for nodes in nodes.chunks((ROWS / block.components).max(1)) {
                    self.multiply::<S>(&block, &matrix, nodes, &mut rows, &mut results);
                }
            }
        }
    }
}

impl<T: Round + Plain> Part<'_, T> {
    #[inline(always)]
    fn matrix<S: Set>(&self, block: &Block, z: usize) -> Packed<Full<S, T>> {
        let (num_species, channels) = (self.call.map.num_species(), self.call.map.channels);
        let weights = &self.weights[block.weights(num_species, channels)];
        let shape = [block.inputs, channels];
        let matrix = Matrix::strided(&weights[z * channels..], shape, [num_species * channels, 1]);
        match self.call.direction {
            Direction::Output => Packed::new(matrix),
            Direction::Input => Packed::new(matrix.transposed()),
        }
    }

    /// Gathers a block of some nodes, multiplies, and puts the results in their places.
    #[inline(always)]
    fn multiply<S: Set>(
        &mut self,
        block: &Block,
        matrix: &Packed<Full<S, T>>,
        nodes: &[usize],
        rows: &mut Scratch<T>,
        results: &mut Scratch<T>,
    ) {
        let channels = self.call.map.channels;
        let [from, to] = self.call.places(block);
        let [from_len, to_len] = self.call.rows.map(|rows| rows * channels);
        let count = nodes.len() * block.components;
        let gathered = rows.room(count * from[1]);
        for (&node, row) in nodes.iter().zip(gathered.chunks_exact_mut(block.components * from[1]))
        {
            row.copy_from_slice(&self.from[node * from_len + from[0]..][..row.len()]);
        }
        let gathered = Matrix::new(gathered, [count, from[1]]);
        let room = results.room(count * to[1]);
        matrix.multiply(gathered, &mut Target::new(room, [count, to[1]], to[1]), false);
        let factor = T::of(block.factor);
        for (&node, row) in nodes.iter().zip(room.chunks_exact(block.components * to[1])) {
            let start = (node - self.nodes.start) * to_len + to[0];
            for (to, &sum) in self.out[start..][..row.len()].iter_mut().zip(row) {
                *to = sum * factor;
            }
        }
    }
}
