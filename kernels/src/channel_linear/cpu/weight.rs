//! The gradient of the weights: per species, degree and range of inputs one product over the nodes.

use std::ops::Range;

use rayon::prelude::*;

use super::super::{Block, ChannelLinear};
use super::nodes::{Component, Nodes, by_species};
use crate::cpu::{Full, Job, Plain, Round, Scratch, Set, run};
use crate::matmul::{Packed, Target};

/// Inputs of a task: enough to use a packed gradient for, few enough to make tasks.
const INPUTS: usize = 64;

/// Multiply-adds of a call that are worth more than one thread.
const WORTH_THREADS: usize = 1 << 20;

/// `[weights]`
pub(super) fn gradient<T: Round + Plain>(
    map: &ChannelLinear,
    rows: usize,
    grad: &[T],
    x: &[T],
) -> Vec<T> {
    let node_len = [rows, map.num_outputs()].map(|rows| rows * map.channels);
    let num_nodes = if grad.is_empty() { 0 } else { grad.len() / node_len[1] };
    let species = by_species(map, 0..num_nodes);
    let mut tasks = Vec::new();
    for (z, nodes) in &species {
        for block in map.blocks() {
            for first in (0..block.inputs).step_by(INPUTS) {
                let inputs = first..block.inputs.min(first + INPUTS);
                tasks.push(Task { map, z: *z, nodes, block, inputs, node_len, grad, x });
            }
        }
    }
    let work: usize = tasks.iter().map(Task::products).sum();
    let least = if work < WORTH_THREADS { tasks.len() } else { 1 };
    let sums: Vec<_> = tasks.into_par_iter().with_min_len(least.max(1)).map(Task::sum).collect();
    let mut out = vec![T::ZERO; map.num_weights()];
    for (place, sum) in sums {
        place.write(&sum, &mut out);
    }
    out
}

/// Some rows of one species' matrix.
struct Task<'a, T> {
    map: &'a ChannelLinear,
    z: usize,
    nodes: &'a Nodes,
    block: Block,
    inputs: Range<usize>,
    /// Numbers per node of x and of the gradient.
    node_len: [usize; 2],
    grad: &'a [T],
    x: &'a [T],
}

/// Where they belong.
struct Place {
    first: usize,
    step: usize,
    channels: usize,
    factor: f64,
}

impl Place {
    fn write<T: Round>(&self, sums: &[T], out: &mut [T]) {
        let factor = T::of(self.factor);
        for (row, sums) in sums.chunks_exact(self.channels).enumerate() {
            let out = &mut out[self.first + row * self.step..][..self.channels];
            out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum * factor);
        }
    }
}

impl<T: Round + Plain> Task<'_, T> {
    fn products(&self) -> usize {
        self.nodes.len() * self.block.components * self.inputs.len() * self.map.channels
    }

    fn sum(self) -> (Place, Vec<T>) {
        let channels = self.map.channels;
        let step = self.map.num_species() * channels;
        let first = self.block.first_weight + self.inputs.start * step + self.z * channels;
        let place = Place { first, step, channels, factor: self.block.factor };
        let mut sums = vec![T::ZERO; self.inputs.len() * channels];
        run(Sum { task: self, sums: &mut sums });
        (place, sums)
    }
}

struct Sum<'a, T> {
    task: Task<'a, T>,
    sums: &'a mut [T],
}

impl<T: Round + Plain> Job for Sum<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let Task { map, nodes, block, inputs, node_len, .. } = &self.task;
        let (channels, width, count) = (map.channels, inputs.len(), nodes.len());
        let [mut rows, mut grads] = [Scratch::take(), Scratch::take()];
        let x = nodes.together::<S, T>(self.task.x, node_len[0], &mut rows);
        let grad = nodes.together::<S, T>(self.task.grad, node_len[1], &mut grads);
        let mut target = Target::new(self.sums, [width, channels], channels);
        for component in 0..block.components {
            let left = Component::of_input(block, channels, component);
            let left = Component { first: left.first + inputs.start, width };
            let right = Component::of_output(block, channels, component);
            let left = left.matrix(x, count, node_len[0]).transposed();
            let right = Packed::<Full<S, T>>::new(right.matrix(grad, count, node_len[1]));
            right.multiply(left, &mut target, true);
        }
    }
}
