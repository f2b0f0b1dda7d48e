//! Outputs of nodes and gradients of their inputs, through the nested form.
//!
//! A node's inputs, two packs of channels wide, are loaded once and stay in the first cache while
//! the terms pass. Numbers that carry their derivative turn each loop into that of its change along
//! a direction, so there is none per derivative.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use super::super::tree::Branch;
use super::super::{ContractionProblem, Sizes};
use crate::cpu::{
    Element, Job, Lanes, Moving, Number, Set, load_wide, make_rows, run, starts, store_wide,
};

/// Nodes that share what a task allocates.
const NODES_PER_TASK: usize = 4;

/// Everything a call reads.
#[derive(Clone, Copy)]
pub(super) struct Call<'a, T> {
    pub(super) problem: &'a ContractionProblem,
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

/// Packs of channels side by side.
pub(super) type Wide<N, const W: usize> = [N; W];

/// `rows` rows for every node.
pub(super) fn per_node<T: Element>(
    call: Call<'_, T>,
    wanted: Wanted,
    moving: bool,
    rows: usize,
) -> Vec<T> {
    let row_len = rows * call.sizes.channels;
    let count = call.sizes.num_nodes * row_len;
    make_rows(
        count,
        row_len * NODES_PER_TASK,
        1,
        || (),
        |(), task, out| {
            run(NodeJob { call, wanted, moving, first: task * NODES_PER_TASK, row_len, out });
        },
    )
}

impl<T: Element> Call<'_, T> {
    /// Inputs of a node for channels from `start`.
    #[inline(always)]
    pub(super) fn load<N: Number, const W: usize>(
        &self,
        node: usize,
        start: usize,
        inputs: &mut Vec<Wide<N, W>>,
    ) where
        N::Plain: Lanes<Base = T>,
    {
        let count = self.problem.terms.num_inputs;
        inputs.clear();
        for row in node * count..(node + 1) * count {
            let value: Wide<N::Plain, W> = self.wide(self.x, row, start);
            let mut wide = [N::constant(N::Plain::zero()); W];
            for pack in 0..W {
                wide[pack] = N::of(value[pack], || {
                    let slope: Wide<N::Plain, W> = self.wide(self.along, row, start);
                    slope[pack]
                });
            }
            inputs.push(wide);
        }
    }

    /// Row `row` of one of the tensors.
    #[inline(always)]
    pub(super) fn wide<P: Lanes<Base = T>, const W: usize>(
        &self,
        from: &[T],
        row: usize,
        start: usize,
    ) -> Wide<P, W> {
        load_wide(from, row, self.sizes.channels, start)
    }
}

/// Outputs or gradients of the inputs of a few nodes.
struct NodeJob<'a, T> {
    call: Call<'a, T>,
    wanted: Wanted,
    moving: bool,
    first: usize,
    row_len: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for NodeJob<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        if self.moving {
            self.nodes::<Moving<T::Pack<S>>>();
        } else {
            self.nodes::<T::Pack<S>>();
        }
    }
}

impl<T: Element> NodeJob<'_, T> {
    #[inline(always)]
    fn nodes<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let [two, one] = starts(self.call.sizes.channels, N::Plain::LANES);
        self.channels::<N, 2>(&two);
        self.channels::<N, 1>(&one);
    }

    #[inline(always)]
    fn channels<N: Number, const W: usize>(
        &mut self,
        starts: &(impl Iterator<Item = usize> + Clone),
    ) where
        N::Plain: Lanes<Base = T>,
    {
        let (call, terms) = (self.call, &self.call.problem.terms);
        let mut inputs = Vec::with_capacity(terms.num_inputs);
        let mut sums = vec![[N::Plain::zero(); W]; terms.num_inputs];
        let len = terms.list.len() * call.sizes.channels;
        for (at, out) in self.out.chunks_mut(self.row_len).enumerate() {
            let node = self.first + at;
            let species = call.problem.species[node] as usize;
            let coefficients = &call.coefficients[species * len..][..len];
            for start in starts.clone() {
                call.load::<N, W>(node, start, &mut inputs);
                let mut one = Node { call, at: node, start, coefficients, inputs: &inputs, out };
                match self.wanted {
                    Wanted::Output => one.outputs(),
                    _ => one.gradients(&mut sums),
                }
            }
        }
    }
}

/// A node for a few channels.
struct Node<'a, T, N, const W: usize> {
    call: Call<'a, T>,
    at: usize,
    start: usize,
    /// Of its species, `[T, C]`.
    coefficients: &'a [T],
    inputs: &'a [Wide<N, W>],
    out: &'a mut [T],
}

impl<T: Element, N: Number, const W: usize> Node<'_, T, N, W>
where
    N::Plain: Lanes<Base = T>,
{
    #[inline(always)]
    fn coefficient(&self, term: usize) -> Wide<N::Plain, W> {
        self.call.wide(self.coefficients, term, self.start)
    }

    /// `K` of the term that ends with a branch, or zero.
    #[inline(always)]
    fn begin(&self, branch: &Branch) -> Wide<N, W> {
        let mut sum = [N::constant(N::Plain::zero()); W];
        if let Some(term) = branch.term {
            let k = self.coefficient(term);
            for pack in 0..W {
                sum[pack] = N::constant(k[pack]);
            }
        }
        sum
    }

    /// `K_ab + sum of x_c K_abc`.
    #[inline(always)]
    fn inner(&self, pair: &Branch) -> Wide<N, W> {
        let mut sum = self.begin(pair);
        for leaf in &self.call.problem.terms.tree.triples[pair.next.clone()] {
            let (x, k) = (&self.inputs[leaf.factor], self.coefficient(leaf.term));
            for pack in 0..W {
                sum[pack] = sum[pack].add_weighted(x[pack], k[pack]);
            }
        }
        sum
    }

    #[inline(always)]
    fn outputs(&mut self) {
        let tree = &self.call.problem.terms.tree;
        for output in &tree.outputs {
            let mut sum = [N::constant(N::Plain::zero()); W];
            for lead in &tree.leads[output.leads.clone()] {
                let mut middle = self.begin(lead);
                for pair in &tree.pairs[lead.next.clone()] {
                    let (x, inner) = (&self.inputs[pair.factor], self.inner(pair));
                    for pack in 0..W {
                        middle[pack] = middle[pack].add_product(x[pack], inner[pack]);
                    }
                }
                let x = &self.inputs[lead.factor];
                for pack in 0..W {
                    sum[pack] = sum[pack].add_product(x[pack], middle[pack]);
                }
            }
            let mut results = [N::Plain::zero(); W];
            for pack in 0..W {
                results[pack] = sum[pack].result();
            }
            store_wide(results, self.out, output.output, self.call.sizes.channels, self.start);
        }
    }

    #[inline(always)]
    fn gradients(&mut self, sums: &mut [Wide<N::Plain, W>]) {
        let terms = &self.call.problem.terms;
        sums.fill([N::Plain::zero(); W]);
        for output in &terms.tree.outputs {
            let row = self.at * terms.num_outputs + output.output;
            let grad: Wide<N::Plain, W> = self.call.wide(self.call.grad, row, self.start);
            for lead in &terms.tree.leads[output.leads.clone()] {
                self.lead(lead, grad, sums);
            }
        }
        for row in 0..sums.len() {
            store_wide(sums[row], self.out, row, self.call.sizes.channels, self.start);
        }
    }

    /// Adds the gradients of all factors of the terms of a lead.
    #[inline(always)]
    fn lead(&self, lead: &Branch, grad: Wide<N::Plain, W>, sums: &mut [Wide<N::Plain, W>]) {
        let mut outer = self.inputs[lead.factor];
        let mut middle = self.begin(lead);
        for pack in 0..W {
            outer[pack] = outer[pack].weighted(grad[pack]);
        }
        for pair in &self.call.problem.terms.tree.pairs[lead.next.clone()] {
            let inner = self.pair(pair, &outer, sums);
            let x = &self.inputs[pair.factor];
            for pack in 0..W {
                middle[pack] = middle[pack].add_product(x[pack], inner[pack]);
            }
        }
        for pack in 0..W {
            let sum = &mut sums[lead.factor][pack];
            *sum = middle[pack].result().mul_add(grad[pack], *sum);
        }
    }

    /// The same of a pair, `outer` being `g x_a`; its inner sum.
    #[inline(always)]
    fn pair(
        &self,
        pair: &Branch,
        outer: &Wide<N, W>,
        sums: &mut [Wide<N::Plain, W>],
    ) -> Wide<N, W> {
        let mut inner = self.begin(pair);
        let mut both = self.inputs[pair.factor];
        for pack in 0..W {
            both[pack] = both[pack].mul(outer[pack]);
        }
        for leaf in &self.call.problem.terms.tree.triples[pair.next.clone()] {
            let (x, k) = (&self.inputs[leaf.factor], self.coefficient(leaf.term));
            for pack in 0..W {
                inner[pack] = inner[pack].add_weighted(x[pack], k[pack]);
                let sum = &mut sums[leaf.factor][pack];
                *sum = both[pack].result().mul_add(k[pack], *sum);
            }
        }
        for pack in 0..W {
            let sum = &mut sums[pair.factor][pack];
            *sum = N::add_result(*sum, outer[pack], inner[pack]);
        }
        inner
    }
}
