//! The two forms that sum over the edges of a node: onto receivers, and back onto senders.
//!
//! A block of result rows, a pack of channels wide, stays in registers while the edges of the
//! node pass; so results cross memory once per pack of edges, not once per edge.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use super::super::plan::{Block, NodeForm};
use super::super::{Paths, Sizes};
use super::Slots;
use super::mix::Scratch;
use crate::cpu::{
    Element, Job, Lanes, MOST_LANES, Set, load_wide, make_rows, run, starts, store_wide,
};
use crate::families::rows::RowIndex;

/// Features of senders onto receivers.
pub(super) fn to_receivers<T: Element>(slots: Slots<'_, T>) -> Vec<T> {
    let (graph, paths) = (&slots.problem.graph, &slots.problem.paths);
    let call = Call {
        form: &paths.plan().to_receivers,
        owners: graph.receivers(),
        others: graph.senders(),
        weights: graph.weights(),
        rows: [paths.num_inputs(), paths.num_outputs()],
        sizes: slots.sizes,
        paths,
    };
    call.run(slots.features, slots.harmonics, slots.radial)
}

/// Gradients of receivers onto senders.
pub(super) fn to_senders<T: Element>(slots: Slots<'_, T>) -> Vec<T> {
    let (graph, paths) = (&slots.problem.graph, &slots.problem.paths);
    let call = Call {
        form: &paths.plan().to_senders,
        owners: graph.senders(),
        others: graph.receivers(),
        weights: graph.weights(),
        rows: [paths.num_outputs(), paths.num_inputs()],
        sizes: slots.sizes,
        paths,
    };
    call.run(slots.grad, slots.harmonics, slots.radial)
}

/// One of the two forms on a graph.
struct Call<'a> {
    form: &'a NodeForm,
    /// The nodes that receive the sums.
    owners: &'a RowIndex,
    /// The nodes at the other ends.
    others: &'a RowIndex,
    /// The rows of the radial weights.
    weights: &'a RowIndex,
    /// Rows per node of the tensor read and of the result.
    rows: [usize; 2],
    sizes: Sizes,
    paths: &'a Paths,
}

impl Call<'_> {
    /// The sums of all nodes.
    fn run<T: Element>(&self, values: &[T], harmonics: &[T], radial: &[T]) -> Vec<T> {
        let row_len = self.rows[1] * self.sizes.channels;
        let scratch = || Scratch::new(self.form.mix.len(), self.paths.num_harmonics());
        make_rows(self.sizes.num_nodes * row_len, row_len, 1, scratch, |scratch, node, out| {
            run(Node { call: self, values, harmonics, radial, scratch, at: node, out });
        })
    }
}

/// The sums of one node.
struct Node<'a, T> {
    call: &'a Call<'a>,
    values: &'a [T],
    harmonics: &'a [T],
    radial: &'a [T],
    scratch: &'a mut Scratch<T>,
    at: usize,
    out: &'a mut [T],
}

/// Where a pack of edges reads: first rows of the nodes at the other ends, rows of the weights.
struct Places {
    values: [usize; MOST_LANES],
    radial: [usize; MOST_LANES],
    count: usize,
}

impl<T: Element> Job for Node<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        let call = self.call;
        let num_harmonics = call.paths.num_harmonics();
        for edges in call.owners.items_of(self.at).chunks(T::Pack::<S>::LANES) {
            let mix = &call.form.mix;
            self.scratch.mix::<T::Pack<S>>(mix, self.harmonics, num_harmonics, edges);
            let places = call.places(edges);
            for block in &call.form.blocks {
                self.add::<T::Pack<S>>(block, &places);
            }
        }
    }
}

impl Call<'_> {
    #[inline(always)]
    fn places(&self, edges: &[u32]) -> Places {
        let mut places =
            Places { values: [0; MOST_LANES], radial: [0; MOST_LANES], count: edges.len() };
        for (lane, &edge) in edges.iter().enumerate() {
            places.values[lane] = self.others.rows()[edge as usize] as usize * self.rows[0];
            places.radial[lane] = self.weights.rows()[edge as usize] as usize * self.paths.len();
        }
        places
    }
}

impl<T: Element> Node<'_, T> {
    /// Adds a pack of edges to a block, compiled once per number of rows.
    #[inline(always)]
    fn add<P: Lanes<Base = T>>(&mut self, block: &Block, places: &Places) {
        match block.rows.count {
            1 => self.add_rows::<P, 1>(block, places),
            3 => self.add_rows::<P, 3>(block, places),
            5 => self.add_rows::<P, 5>(block, places),
            7 => self.add_rows::<P, 7>(block, places),
            9 => self.add_rows::<P, 9>(block, places),
            11 => self.add_rows::<P, 11>(block, places),
            count => {
                assert!(count == 13, "convolution: a degree has {count} components, at most 13");
                self.add_rows::<P, 13>(block, places);
            }
        }
    }

    #[inline(always)]
    fn add_rows<P: Lanes<Base = T>, const ROWS: usize>(&mut self, block: &Block, places: &Places) {
        let [two, one] = starts(self.call.sizes.channels, P::LANES);
        for start in two {
            self.add_wide::<P, ROWS, 2>(block, places, start);
        }
        for start in one {
            self.add_wide::<P, ROWS, 1>(block, places, start);
        }
    }

    #[inline(always)]
    fn add_wide<P: Lanes<Base = T>, const ROWS: usize, const W: usize>(
        &mut self,
        block: &Block,
        places: &Places,
        start: usize,
    ) {
        let channels = self.call.sizes.channels;
        let sums = self.sums::<P, ROWS, W>(block, places, start);
        for component in 0..ROWS {
            let row = block.rows.at(component);
            let mut total: [P; W] = load_wide(self.out, row, channels, start);
            for pack in 0..W {
                total[pack] = total[pack].add(sums[component][pack]);
            }
            store_wide(total, self.out, row, channels, start);
        }
    }

    /// `sum over edges, paths and inner components of B (R x)` for channels from `start`.
    #[inline(always)]
    fn sums<P: Lanes<Base = T>, const ROWS: usize, const W: usize>(
        &self,
        block: &Block,
        places: &Places,
        start: usize,
    ) -> [[P; W]; ROWS] {
        let channels = self.call.sizes.channels;
        let mut sums = [[P::zero(); W]; ROWS];
        for source in &block.sources {
            for lane in 0..places.count {
                let row = places.radial[lane] + source.path;
                let weight: [P; W] = load_wide(self.radial, row, channels, start);
                for inner in 0..source.inner.count {
                    let row = places.values[lane] + source.inner.at(inner);
                    let mut value: [P; W] = load_wide(self.values, row, channels, start);
                    for pack in 0..W {
                        value[pack] = value[pack].mul(weight[pack]);
                    }
                    let pair = (source.first_pair + inner * ROWS) * P::LANES + lane;
                    let pairs = &self.scratch.pairs[pair..=pair + (ROWS - 1) * P::LANES];
                    for component in 0..ROWS {
                        let pair = P::splat(pairs[component * P::LANES]);
                        for pack in 0..W {
                            sums[component][pack] =
                                value[pack].mul_add(pair, sums[component][pack]);
                        }
                    }
                }
            }
        }
        sums
    }
}
