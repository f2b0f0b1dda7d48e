//! The two forms that sum over the edges of a node: onto receivers, and back onto senders.
//!
//! A block of result rows, a pack of channels wide, stays in registers while the edges of the
//! node pass; so results cross memory once per pack of edges, not once per edge.

use burn::backend::flex::FlexTensor;

use super::super::plan::{Block, NodeForm};
use super::super::{Paths, Sizes};
use super::mix::Scratch;
use crate::cpu::{Element, Job, Lanes, Set, make_rows, run, span};
use crate::rows::RowIndex;

/// One of the two forms on a graph.
pub(super) struct Call<'a> {
    pub(super) form: &'a NodeForm,
    /// The nodes that receive the sums.
    pub(super) owners: &'a RowIndex,
    /// The nodes at the other ends.
    pub(super) others: &'a RowIndex,
    /// The rows of the radial weights.
    pub(super) weights: &'a RowIndex,
    /// Rows per node of the tensor read and of the result.
    pub(super) rows: [usize; 2],
    pub(super) sizes: Sizes,
    pub(super) paths: &'a Paths,
}

impl Call<'_> {
    /// The sums of all nodes.
    pub(super) fn run<T: Element>(
        &self,
        values: &FlexTensor,
        harmonics: &FlexTensor,
        radial: &FlexTensor,
    ) -> Vec<T> {
        let (values, harmonics, radial) = (T::view(values), T::view(harmonics), T::view(radial));
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

impl<T: Element> Job for Node<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        let call = self.call;
        let num_harmonics = call.paths.num_harmonics();
        for edges in call.owners.items_of(self.at).chunks(T::Pack::<S>::LANES) {
            let mix = &call.form.mix;
            self.scratch.mix::<T::Pack<S>>(mix, self.harmonics, num_harmonics, edges);
            for block in &call.form.blocks {
                self.add::<T::Pack<S>>(block, edges);
            }
        }
    }
}

impl<T: Element> Node<'_, T> {
    /// Adds a pack of edges to a block, compiled once per number of rows.
    #[inline(always)]
    fn add<P: Lanes<Base = T>>(&mut self, block: &Block, edges: &[u32]) {
        match block.rows.count {
            1 => self.add_rows::<P, 1>(block, edges),
            3 => self.add_rows::<P, 3>(block, edges),
            5 => self.add_rows::<P, 5>(block, edges),
            7 => self.add_rows::<P, 7>(block, edges),
            9 => self.add_rows::<P, 9>(block, edges),
            11 => self.add_rows::<P, 11>(block, edges),
            count => {
                assert!(count == 13, "convolution: a degree has {count} components, at most 13");
                self.add_rows::<P, 13>(block, edges);
            }
        }
    }

    #[inline(always)]
    fn add_rows<P: Lanes<Base = T>, const ROWS: usize>(&mut self, block: &Block, edges: &[u32]) {
        let channels = self.call.sizes.channels;
        for start in (0..channels).step_by(P::LANES) {
            let sums = self.sums::<P, ROWS>(block, edges, start);
            for (component, sum) in sums.into_iter().enumerate() {
                let row = block.rows.at(component) * channels;
                let to = &mut self.out[span(row + start, P::LANES, row + channels)];
                P::load(to).add(sum).store(to);
            }
        }
    }

    /// `sum over edges, paths and inner components of B (R x)` for channels from `start`.
    #[inline(always)]
    fn sums<P: Lanes<Base = T>, const ROWS: usize>(
        &self,
        block: &Block,
        edges: &[u32],
        start: usize,
    ) -> [P; ROWS] {
        let channels = self.call.sizes.channels;
        let [rows, _] = self.call.rows;
        let num_paths = self.call.paths.len();
        let mut sums = [P::zero(); ROWS];
        for source in &block.sources {
            for (lane, &edge) in edges.iter().enumerate() {
                let other = self.call.others.rows()[edge as usize] as usize * rows;
                let weights = self.call.weights.rows()[edge as usize] as usize;
                let at = (weights * num_paths + source.path) * channels;
                let weight = P::load(&self.radial[span(at + start, P::LANES, at + channels)]);
                for inner in 0..source.inner.count {
                    let row = (other + source.inner.at(inner)) * channels;
                    let value = P::load(&self.values[span(row + start, P::LANES, row + channels)]);
                    let value = value.mul(weight);
                    let pair = (source.first_pair + inner * ROWS) * P::LANES + lane;
                    let pairs = &self.scratch.pairs[pair..=pair + (ROWS - 1) * P::LANES];
                    for component in 0..ROWS {
                        let pair = P::splat(pairs[component * P::LANES]);
                        sums[component] = value.mul_add(pair, sums[component]);
                    }
                }
            }
        }
        sums
    }
}
