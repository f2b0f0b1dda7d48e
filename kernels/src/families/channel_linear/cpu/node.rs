//! The two forms that write per node: outputs, and gradients of inputs by the turned matrices.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::super::{Block, ChannelLinear};
use super::nodes::{by_species, starts};
use crate::cpu::matmul::{Matrix, Packed};
use crate::cpu::{Full, Job, Plain, Round, Scratch, Set, run, zeroed};

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
        let count = self.num_nodes * node_len;
        let mut out = Vec::with_capacity(count);
        if count > 0 {
            let size = self.num_nodes.div_ceil(self.parts());
            let part = |(at, room): (usize, &mut [MaybeUninit<T>])| {
                let nodes = at * size..self.num_nodes.min((at + 1) * size);
                run(Part { call: self, from, weights, nodes, out: zeroed(room) });
            };
            let room = &mut out.spare_capacity_mut()[..count];
            room.par_chunks_mut(size * node_len).enumerate().with_max_len(1).for_each(part);
        }
        // SAFETY: every part was zeroed.
        unsafe { out.set_len(count) };
        out
    }

    fn parts(&self) -> usize {
        let products = self.map.blocks().map(|b| b.components * b.inputs * self.map.channels);
        let worth = self.num_nodes * products.sum::<usize>() / WORTH_A_THREAD;
        worth.clamp(1, rayon::current_num_threads())
    }
}

/// The result of some nodes.
struct Part<'a, T> {
    call: Call<'a>,
    from: &'a [T],
    weights: &'a [T],
    nodes: Range<usize>,
    /// Zero before.
    out: &'a mut [T],
}

impl<T: Round + Plain> Job for Part<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let mut scaled = Scratch::take();
        for (z, nodes) in by_species(self.call.map, self.nodes.clone()) {
            for block in self.call.map.blocks() {
                let matrix = self.call.matrix::<S, T>(self.weights, &block, z, &mut scaled);
                matrix.multiply_rows(&self.rows(&block, &nodes), self.from, self.out);
            }
        }
    }
}

impl<T> Part<'_, T> {
    /// Where the components of a degree start in what is read and in this part of the result.
    fn rows(&self, block: &Block, nodes: &[usize]) -> Vec<[usize; 2]> {
        let Call { map, direction, rows, .. } = self.call;
        let [from_len, to_len] = rows.map(|rows| rows * map.channels);
        let node_len = match direction {
            Direction::Output => [from_len, to_len],
            Direction::Input => [to_len, from_len],
        };
        let mut rows = starts(block, map.channels, nodes, node_len);
        let before = self.nodes.start * to_len;
        for row in &mut rows {
            if direction == Direction::Input {
                row.swap(0, 1);
            }
            row[1] -= before;
        }
        rows
    }
}

impl Call<'_> {
    /// `f_l W_l[:, z, :]`, turned for gradients of inputs.
    #[inline(always)]
    fn matrix<S: Set, T: Round + Plain>(
        &self,
        weights: &[T],
        block: &Block,
        z: usize,
        scaled: &mut Scratch<T>,
    ) -> Packed<Full<S, T>> {
        let (num_species, channels) = (self.map.num_species(), self.map.channels);
        let weights = &weights[block.weights(num_species, channels)];
        let factor = T::of(block.factor);
        let room = scaled.room(block.inputs * channels);
        let rows = weights.chunks_exact(num_species * channels);
        for (row, to) in rows.zip(room.chunks_exact_mut(channels)) {
            let row = &row[z * channels..(z + 1) * channels];
            to.iter_mut().zip(row).for_each(|(to, &weight)| *to = weight * factor);
        }
        let matrix = Matrix::new(room, [block.inputs, channels]);
        match self.direction {
            Direction::Output => Packed::new(matrix),
            Direction::Input => Packed::new(matrix.transposed()),
        }
    }
}
