//! Gradients of the coefficients: products of the factors, summed over the nodes of a species.

use std::ops::Range;

use rayon::prelude::*;

use super::super::tree::{Branch, Tree};
use super::loops::{Call, Nodes, SIDE_BY_SIDE, Wide};
use crate::cpu::{Element, Job, Lanes, Moving, Number, Set, load_wide, run, starts, store_wide};
use crate::families::rows::RowIndex;

/// Terms of a task at least; their sums stay in the first cache.
const TERMS_PER_TASK: usize = 48;

/// A row for every term of every species; each task sums its terms over the nodes in order.
pub(super) fn per_species<T: Element>(call: Call<'_, T>, moving: bool) -> Vec<T> {
    let (channels, num_species) = (call.sizes.channels, call.sizes.num_species);
    let count = call.problem.terms.list.len();
    let nodes = RowIndex::new(&call.problem.species, num_species);
    let leads = tasks(&call);
    let present = (0..num_species).filter(|&z| !nodes.items_of(z).is_empty());
    let tasks: Vec<_> = present.flat_map(|z| leads.iter().map(move |leads| (z, leads))).collect();
    let sum = |(z, leads): (usize, &Range<usize>)| {
        let mut list = Vec::new();
        let mut sums = Vec::new();
        terms_of(&call, leads, &mut list);
        sums.resize(list.len() * channels, T::ZERO);
        let nodes = nodes.items_of(z);
        run(SpeciesJob { call, moving, nodes, leads: leads.clone(), sums: &mut sums });
        (z, list, sums)
    };
    let sums: Vec<_> = tasks.into_par_iter().with_max_len(1).map(sum).collect();
    let mut out = vec![T::ZERO; num_species * count * channels];
    for (z, list, sums) in sums {
        for (term, sums) in list.into_iter().zip(sums.chunks_exact(channels.max(1))) {
            out[(z * count + term) * channels..][..channels].copy_from_slice(sums);
        }
    }
    out
}

/// Ranges of leads with enough terms each.
fn tasks<T>(call: &Call<'_, T>) -> Vec<Range<usize>> {
    let tree = &call.problem.terms.tree;
    let mut all: Vec<Range<usize>> = Vec::new();
    let mut terms = TERMS_PER_TASK;
    for (at, lead) in tree.leads.iter().enumerate() {
        if terms >= TERMS_PER_TASK {
            all.push(at..at);
            terms = 0;
        }
        terms += tree.num_terms(lead);
        if let Some(last) = all.last_mut() {
            last.end = at + 1;
        }
    }
    all
}

/// The terms of some leads in the order in which a task sums them.
fn terms_of<T>(call: &Call<'_, T>, leads: &Range<usize>, list: &mut Vec<usize>) {
    let tree = &call.problem.terms.tree;
    for lead in &tree.leads[leads.clone()] {
        list.extend(lead.term);
        for pair in &tree.pairs[lead.next.clone()] {
            list.extend(pair.term);
            list.extend(tree.triples[pair.next.clone()].iter().map(|leaf| leaf.term));
        }
    }
}

/// Some leads' terms of one species.
struct SpeciesJob<'a, T> {
    call: Call<'a, T>,
    moving: bool,
    nodes: &'a [u32],
    leads: Range<usize>,
    /// `[terms, C]`, zero before.
    sums: &'a mut [T],
}

impl<T: Element> Job for SpeciesJob<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        if self.moving {
            self.all::<Moving<T::Pack<S>>>();
        } else {
            self.all::<T::Pack<S>>();
        }
    }
}

impl<T: Element> SpeciesJob<'_, T> {
    #[inline(always)]
    fn all<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let [two, one] = starts(self.call.sizes.channels, N::Plain::LANES);
        for start in two {
            self.nodes::<N, 2, 4>(start);
        }
        for start in one {
            self.nodes::<N, 1, 2>(start);
        }
    }

    /// All nodes for channels from `start`, side by side where there are two, the last maybe alone.
    #[inline(always)]
    fn nodes<N: Number, const C: usize, const W: usize>(&mut self, start: usize)
    where
        N::Plain: Lanes<Base = T>,
    {
        let mut inputs = Vec::with_capacity(self.call.problem.terms.num_inputs);
        let (pairs, rest) = self.nodes.as_chunks::<SIDE_BY_SIDE>();
        for pair in pairs {
            let nodes = pair.map(|node| node as usize);
            self.call.load::<N, C, W>(nodes, start, &mut inputs);
            self.add_nodes::<N, C, W>(nodes, start, &inputs);
        }
        let mut inputs = Vec::new();
        for &node in rest {
            let nodes = [node as usize; SIDE_BY_SIDE];
            self.call.load::<N, C, C>(nodes, start, &mut inputs);
            self.add_nodes::<N, C, C>(nodes, start, &inputs);
        }
    }

    /// Adds the products of nodes side by side.
    #[inline(always)]
    fn add_nodes<N: Number, const C: usize, const W: usize>(
        &mut self,
        nodes: Nodes,
        start: usize,
        inputs: &[Wide<N, W>],
    ) where
        N::Plain: Lanes<Base = T>,
    {
        let (call, terms) = (self.call, &self.call.problem.terms);
        let mut sums = Sums { numbers: self.sums, channels: call.sizes.channels, start, row: 0 };
        for output in &terms.tree.outputs {
            let first = output.leads.start.max(self.leads.start);
            let last = output.leads.end.min(self.leads.end);
            if first < last {
                let rows = nodes.map(|node| node * terms.num_outputs + output.output);
                let grad: Wide<N::Plain, W> = call.wide::<_, C, W>(call.grad, rows, start);
                for lead in &terms.tree.leads[first..last] {
                    sums.lead::<N, C, W>(&terms.tree, lead, grad, inputs);
                }
            }
        }
    }
}

/// The rows of the terms in the order of the tree, for channels from `start`.
struct Sums<'a, T> {
    numbers: &'a mut [T],
    channels: usize,
    start: usize,
    /// The next one.
    row: usize,
}

impl<T: Element> Sums<'_, T> {
    /// Adds the products of a lead's terms.
    #[inline(always)]
    fn lead<N: Number, const C: usize, const W: usize>(
        &mut self,
        tree: &Tree,
        lead: &Branch,
        grad: Wide<N::Plain, W>,
        inputs: &[Wide<N, W>],
    ) where
        N::Plain: Lanes<Base = T>,
    {
        let one = [N::constant(N::Plain::splat(T::ONE)); W];
        let mut outer = inputs[lead.factor];
        for pack in 0..W {
            outer[pack] = outer[pack].weighted(grad[pack]);
        }
        if lead.term.is_some() {
            self.add::<N, C, W>(&outer, &one);
        }
        for pair in &tree.pairs[lead.next.clone()] {
            let mut both = inputs[pair.factor];
            for pack in 0..W {
                both[pack] = both[pack].mul(outer[pack]);
            }
            if pair.term.is_some() {
                self.add::<N, C, W>(&both, &one);
            }
            for leaf in &tree.triples[pair.next.clone()] {
                self.add::<N, C, W>(&both, &inputs[leaf.factor]);
            }
        }
    }

    /// Adds the products of all nodes to a row and goes on to the next.
    #[inline(always)]
    fn add<N: Number, const C: usize, const W: usize>(&mut self, a: &Wide<N, W>, b: &Wide<N, W>)
    where
        N::Plain: Lanes<Base = T>,
    {
        let mut sums: [N::Plain; C] = load_wide(self.numbers, self.row, self.channels, self.start);
        for pack in 0..W {
            sums[pack % C] = N::add_result(sums[pack % C], a[pack], b[pack]);
        }
        store_wide(sums, self.numbers, self.row, self.channels, self.start);
        self.row += 1;
    }
}
