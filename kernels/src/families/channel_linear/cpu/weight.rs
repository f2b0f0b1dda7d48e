//! The gradient of the weights: per species and degree the products of all inputs with all gradients,
//! summed over nodes and components. Both are read where they lie.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use std::ops::Range;

use rayon::prelude::*;

use super::super::{Block, ChannelLinear};
use super::nodes::{by_species, starts};
use crate::cpu::{Element, Job, Lanes, Set, load_wide, run, starts as pack_starts, store_wide};

/// Inputs of a task: two tiles, so that there are tasks for all threads.
const INPUTS: usize = 16;

/// Multiply-adds of a call that are worth more than one thread.
const WORTH_THREADS: usize = 1 << 18;

/// Rows that are summed before the next columns: those of the gradient stay in L1 meanwhile.
const ROWS: usize = 128;

/// `[weights]`
pub(super) fn gradient<T: Element>(
    map: &ChannelLinear,
    rows: usize,
    grad: &[T],
    x: &[T],
) -> Vec<T> {
    let node_len = [rows, map.num_outputs()].map(|rows| rows * map.channels);
    let num_nodes = if grad.is_empty() { 0 } else { grad.len() / node_len[1] };
    let mut lists = Vec::new();
    for (z, nodes) in by_species(map, 0..num_nodes) {
        lists.extend(map.blocks().map(|block| {
            let starts = starts(&block, map.channels, &nodes, node_len);
            (z, block, starts)
        }));
    }
    let mut tasks = Vec::new();
    for (z, block, starts) in &lists {
        for first in (0..block.inputs).step_by(INPUTS) {
            let inputs = first..block.inputs.min(first + INPUTS);
            tasks.push(Task { map, z: *z, block, starts, inputs, grad, x });
        }
    }
    let work: usize = tasks.iter().map(Task::products).sum();
    let least = if work < WORTH_THREADS { usize::MAX } else { 1 };
    let sums: Vec<_> = tasks.into_par_iter().with_min_len(least).map(Task::sum).collect();
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
    block: &'a Block,
    /// Of the components in x and in the gradient.
    starts: &'a [[usize; 2]],
    inputs: Range<usize>,
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
    fn write<T: Element>(&self, sums: &[T], out: &mut [T]) {
        let factor = T::of(self.factor);
        for (row, sums) in sums.chunks_exact(self.channels).enumerate() {
            let out = &mut out[self.first + row * self.step..][..self.channels];
            out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum * factor);
        }
    }
}

impl<T: Element> Task<'_, T> {
    fn products(&self) -> usize {
        self.starts.len() * self.inputs.len() * self.map.channels
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
    /// `[inputs, C]`
    sums: &'a mut [T],
}

impl<T: Element> Job for Sum<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        // Registers for sixteen sums.
        let many = S::TILE_ROWS > 8;
        for rows in self.task.starts.chunks(ROWS) {
            let [two, one] = pack_starts(self.task.map.channels, T::Pack::<S>::LANES);
            for start in two {
                if many {
                    self.columns::<T::Pack<S>, 8, 2>(rows, start);
                } else {
                    self.columns::<T::Pack<S>, 4, 2>(rows, start);
                }
            }
            for start in one {
                self.columns::<T::Pack<S>, 8, 1>(rows, start);
            }
        }
    }
}

impl<T: Element> Sum<'_, T> {
    /// All inputs with the channels from `start`, in tiles of `R` inputs.
    #[inline(always)]
    fn columns<P: Lanes<Base = T>, const R: usize, const W: usize>(
        &mut self,
        rows: &[[usize; 2]],
        start: usize,
    ) {
        let count = self.task.inputs.len();
        let whole = count / R * R;
        for input in (0..whole).step_by(R) {
            self.tile::<P, R, W>(rows, input, start);
        }
        for input in whole..count {
            self.tile::<P, 1, W>(rows, input, start);
        }
    }

    #[inline(always)]
    fn tile<P: Lanes<Base = T>, const R: usize, const W: usize>(
        &mut self,
        rows: &[[usize; 2]],
        input: usize,
        start: usize,
    ) {
        let (channels, first) = (self.task.map.channels, self.task.inputs.start + input);
        let mut sums = [[P::zero(); W]; R];
        for at in 0..R {
            sums[at] = load_wide(self.sums, input + at, channels, start);
        }
        for [x, grad] in rows {
            let grad: [P; W] = load_wide(&self.task.grad[*grad..], 0, channels, start);
            let x = &self.task.x[x + first..][..R];
            for at in 0..R {
                let x = P::splat(x[at]);
                for pack in 0..W {
                    sums[at][pack] = grad[pack].mul_add(x, sums[at][pack]);
                }
            }
        }
        for at in 0..R {
            store_wide(sums[at], self.sums, input + at, channels, start);
        }
    }
}
