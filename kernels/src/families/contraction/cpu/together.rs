//! The nested form of nodes of one species, some packs of channels side by side: values, and gradients
//! of the inputs.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use super::super::tree::Branch;
use super::loops::{Call, Nodes, Wide};
use crate::cpu::{Element, Lanes, Number, load_wide, store_wide};

/// Nodes of one species for a few channels.
pub(super) struct Together<'a, T, N, const C: usize, const W: usize> {
    pub(super) call: Call<'a, T>,
    pub(super) nodes: Nodes,
    pub(super) start: usize,
    /// Of their species, `[T, C]`.
    pub(super) coefficients: &'a [T],
    pub(super) inputs: &'a [Wide<N, W>],
    /// The node with which `out` begins.
    pub(super) first: usize,
    pub(super) out: &'a mut [T],
}

impl<T: Element, N: Number, const C: usize, const W: usize> Together<'_, T, N, C, W>
where
    N::Plain: Lanes<Base = T>,
{
    #[inline(always)]
    fn coefficient(&self, term: usize) -> Wide<N::Plain, W> {
        let packs: [N::Plain; C] =
            load_wide(self.coefficients, term, self.call.sizes.channels, self.start);
        let mut wide = [N::Plain::zero(); W];
        for pack in 0..W {
            wide[pack] = packs[pack % C];
        }
        wide
    }

    /// Stores row `row` of `rows` of every node.
    #[inline(always)]
    fn store(&mut self, wide: Wide<N::Plain, W>, row: usize, rows: usize) {
        for at in 0..W / C {
            let mut packs = [N::Plain::zero(); C];
            for pack in 0..C {
                packs[pack] = wide[at * C + pack];
            }
            let row = (self.nodes[at] - self.first) * rows + row;
            store_wide(packs, self.out, row, self.call.sizes.channels, self.start);
        }
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
    pub(super) fn outputs(&mut self) {
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
            self.store(results, output.output, self.call.problem.terms.num_outputs);
        }
    }

    #[inline(always)]
    pub(super) fn gradients(&mut self, sums: &mut [Wide<N::Plain, W>]) {
        let terms = &self.call.problem.terms;
        sums.fill([N::Plain::zero(); W]);
        for output in &terms.tree.outputs {
            let rows = self.nodes.map(|node| node * terms.num_outputs + output.output);
            let grad: Wide<N::Plain, W> =
                self.call.wide::<_, C, W>(self.call.grad, rows, self.start);
            for lead in &terms.tree.leads[output.leads.clone()] {
                self.lead(lead, grad, sums);
            }
        }
        for row in 0..sums.len() {
            self.store(sums[row], row, terms.num_inputs);
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
