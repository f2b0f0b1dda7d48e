//! The three loops over terms: outputs, gradient of the inputs, gradient of the coefficients.
//!
//! A node's inputs, a pack of channels wide, are loaded once and stay in the first cache while
//! the terms pass. Numbers that carry their derivative turn each loop into that of its change along
//! a direction, so there is none per derivative.

use rayon::prelude::*;

use super::super::{ContractionProblem, Sizes};
use crate::cpu::{Element, Job, Lanes, Moving, Number, Set, make_rows, run, span};
use crate::rows::RowIndex;

/// Terms a task of the coefficients' gradient takes; their sums stay in the first cache.
const TERMS_PER_TASK: usize = 32;

/// Everything a call reads.
#[derive(Clone, Copy)]
pub(super) struct Call<'a, T> {
    pub(super) problem: &'a ContractionProblem,
    /// The three factors of every term.
    pub(super) factors: &'a [[usize; 3]],
    pub(super) sizes: Sizes,
    pub(super) x: &'a [T],
    /// The direction, empty when values are wanted.
    pub(super) along: &'a [T],
    /// The gradient of the output, empty for the forward.
    pub(super) grad: &'a [T],
    /// Empty for the gradient of the coefficients.
    pub(super) coefficients: &'a [T],
}

/// Which of the three kernels.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Output,
    Input,
    Coefficients,
}

/// `rows` rows for every node, a node at a time.
pub(super) fn per_node<T: Element>(
    call: Call<'_, T>,
    wanted: Wanted,
    moving: bool,
    rows: usize,
) -> Vec<T> {
    let row_len = rows * call.sizes.channels;
    make_rows(
        call.sizes.num_nodes * row_len,
        row_len,
        1,
        || (),
        |(), node, out| {
            run(NodeJob { call, wanted, moving, node, out });
        },
    )
}

/// A row for every term of every species; each task sums its terms over the nodes in order.
pub(super) fn per_species<T: Element>(call: Call<'_, T>, moving: bool) -> Vec<T> {
    let Sizes { channels, num_species, .. } = call.sizes;
    let count = call.problem.terms.list.len();
    let mut out = vec![T::ZERO; num_species * count * channels];
    if out.is_empty() {
        return out;
    }
    let nodes = RowIndex::new(&call.problem.species, num_species);
    out.par_chunks_mut(count * channels).enumerate().for_each(|(species, out)| {
        let tasks = out.par_chunks_mut(TERMS_PER_TASK * channels).enumerate();
        tasks.for_each(|(task, out)| {
            let (first, nodes) = (task * TERMS_PER_TASK, nodes.items_of(species));
            run(SpeciesJob { call, moving, nodes, first, out });
        });
    });
    out
}

impl<T: Element> Call<'_, T> {
    /// Inputs of a node for channels from `start`, and a row of ones after them.
    #[inline(always)]
    fn load<N: Number>(&self, node: usize, start: usize, inputs: &mut Vec<N>)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (count, channels) = (self.problem.terms.num_inputs, self.sizes.channels);
        inputs.clear();
        for input in 0..count {
            let row = (node * count + input) * channels;
            let columns = span(row + start, N::Plain::LANES, row + channels);
            let value = N::Plain::load(&self.x[columns.clone()]);
            inputs.push(N::of(value, || N::Plain::load(&self.along[columns])));
        }
        inputs.push(N::constant(N::Plain::splat(T::ONE)));
    }
}

/// One node's output or gradient of the input.
struct NodeJob<'a, T> {
    call: Call<'a, T>,
    wanted: Wanted,
    moving: bool,
    node: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for NodeJob<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        match (self.wanted, self.moving) {
            (Wanted::Output, false) => self.outputs::<T::Pack<S>>(),
            (Wanted::Output, true) => self.outputs::<Moving<T::Pack<S>>>(),
            (_, false) => self.inputs::<T::Pack<S>>(),
            (_, true) => self.inputs::<Moving<T::Pack<S>>>(),
        }
    }
}

impl<'a, T: Element> NodeJob<'a, T> {
    /// Coefficients of this node's species, `[T, C]`.
    #[inline(always)]
    fn coefficients(&self) -> &'a [T] {
        let len = self.call.problem.terms.list.len() * self.call.sizes.channels;
        let species = self.call.problem.species[self.node] as usize;
        &self.call.coefficients[species * len..][..len]
    }

    #[inline(always)]
    fn outputs<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (terms, channels) = (&self.call.problem.terms, self.call.sizes.channels);
        let mut inputs: Vec<N> = Vec::with_capacity(terms.num_inputs + 1);
        let coefficients = self.coefficients();
        for start in (0..channels).step_by(N::Plain::LANES) {
            let columns =
                |row: usize| span(row * channels + start, N::Plain::LANES, (row + 1) * channels);
            self.call.load(self.node, start, &mut inputs);
            let mut at = 0;
            for run in terms.list.chunk_by(|a, b| a.output == b.output) {
                let to = columns(run[0].output.into());
                let mut sum = N::Plain::load(&self.out[to.clone()]);
                for _ in run {
                    let [a, b, c] = self.call.factors[at];
                    let product = inputs[a].mul(inputs[b]).mul(inputs[c]).result();
                    sum = product.mul_add(N::Plain::load(&coefficients[columns(at)]), sum);
                    at += 1;
                }
                sum.store(&mut self.out[to]);
            }
        }
    }

    #[inline(always)]
    fn inputs<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (terms, channels) = (&self.call.problem.terms, self.call.sizes.channels);
        let (count, outputs) = (terms.num_inputs, terms.num_outputs);
        let mut inputs: Vec<N> = Vec::with_capacity(count + 1);
        let mut sums = vec![N::Plain::zero(); count + 1];
        let coefficients = self.coefficients();
        for start in (0..channels).step_by(N::Plain::LANES) {
            let columns =
                |row: usize| span(row * channels + start, N::Plain::LANES, (row + 1) * channels);
            self.call.load(self.node, start, &mut inputs);
            sums.fill(N::Plain::zero());
            for (at, term) in terms.list.iter().enumerate() {
                let [a, b, c] = self.call.factors[at];
                let row = self.node * outputs + usize::from(term.output);
                let grad = N::Plain::load(&self.call.grad[columns(row)]);
                let coefficient = N::Plain::load(&coefficients[columns(at)]);
                let weight = Lanes::mul(grad, coefficient);
                let (x, y, z) = (inputs[a], inputs[b], inputs[c]);
                sums[a] = y.mul(z).result().mul_add(weight, sums[a]);
                sums[b] = x.mul(z).result().mul_add(weight, sums[b]);
                sums[c] = x.mul(y).result().mul_add(weight, sums[c]);
            }
            for (row, sum) in sums.iter().take(count).enumerate() {
                sum.store(&mut self.out[columns(row)]);
            }
        }
    }
}

/// Some terms' coefficients of one species.
struct SpeciesJob<'a, T> {
    call: Call<'a, T>,
    moving: bool,
    nodes: &'a [u32],
    /// The first of the terms.
    first: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for SpeciesJob<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        if self.moving {
            self.sums::<Moving<T::Pack<S>>>();
        } else {
            self.sums::<T::Pack<S>>();
        }
    }
}

impl<T: Element> SpeciesJob<'_, T> {
    #[inline(always)]
    fn sums<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (terms, channels) = (&self.call.problem.terms, self.call.sizes.channels);
        let mut inputs: Vec<N> = Vec::with_capacity(terms.num_inputs + 1);
        for start in (0..channels).step_by(N::Plain::LANES) {
            let columns =
                |row: usize| span(row * channels + start, N::Plain::LANES, (row + 1) * channels);
            for &node in self.nodes {
                let node = node as usize;
                self.call.load(node, start, &mut inputs);
                for (at, term) in terms.list[self.first..].iter().enumerate().take(TERMS_PER_TASK) {
                    let [a, b, c] = self.call.factors[self.first + at];
                    let row = node * terms.num_outputs + usize::from(term.output);
                    let grad = N::Plain::load(&self.call.grad[columns(row)]);
                    let product = inputs[a].mul(inputs[b]).mul(inputs[c]).result();
                    let to = &mut self.out[columns(at)];
                    product.mul_add(grad, N::Plain::load(to)).store(to);
                }
            }
        }
    }
}
