//! The two forms that write per node: outputs, and gradients of inputs by the turned matrices.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::super::{Block, ChannelLinear};
use super::nodes::{Component, Nodes, by_species};
use crate::cpu::{Full, Job, Plain, Round, Scratch, Set, copy, run, zeroed};
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

    /// A component in the numbers that are read and in those of the result.
    fn places(&self, block: &Block, component: usize) -> [Component; 2] {
        let input = Component::of_input(block, self.map.channels, component);
        let output = Component::of_output(block, self.map.channels, component);
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
    /// Zero before.
    out: &'a mut [T],
}

impl<T: Round + Plain> Job for Part<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let [from_len, to_len] = self.call.rows.map(|rows| rows * self.call.map.channels);
        let [mut rows, mut results] = [Scratch::take(), Scratch::take()];
        for (z, nodes) in by_species(self.call.map, self.nodes.clone()) {
            let from = nodes.together::<S, T>(self.from, from_len, &mut rows);
            let Nodes::Some(list) = &nodes else {
                self.call.multiply::<S, T>(self.weights, z, nodes.len(), from, self.out);
                continue;
            };
            let room = results.room(list.len() * to_len);
            room.fill(T::ZERO);
            self.call.multiply::<S, T>(self.weights, z, nodes.len(), from, room);
            for (&node, row) in list.iter().zip(room.chunks_exact(to_len)) {
                let start = (node - self.nodes.start) * to_len;
                copy::<S, T>(row, &mut self.out[start..][..to_len]);
            }
        }
    }
}

impl Call<'_> {
    /// The result of `count` nodes of species `z` that lie together.
    #[inline(always)]
    fn multiply<S: Set, T: Round + Plain>(
        &self,
        weights: &[T],
        z: usize,
        count: usize,
        from: &[T],
        to: &mut [T],
    ) {
        let [from_len, to_len] = self.rows.map(|rows| rows * self.map.channels);
        let mut scaled = Scratch::take();
        for block in self.map.blocks() {
            let matrix = self.matrix::<S, T>(weights, &block, z, &mut scaled);
            for component in 0..block.components {
                let [left, right] = self.places(&block, component);
                let left = left.matrix(from, count, from_len);
                let room = &mut to[right.first..];
                let mut target = Target::new(room, [count, right.width], to_len);
                matrix.multiply(left, &mut target, false);
            }
        }
    }

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
