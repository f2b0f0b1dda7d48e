//! The two forms that write per edge: gradients of the radial weights and of the harmonics.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use super::super::plan::EdgePath;
use super::Slots;
use super::mix::Scratch;
use crate::cpu::{
    Element, Job, Lanes, MOST_LANES, Set, load_wide, make_rows, run, starts, store_wide,
};

impl<T: Element> Slots<'_, T> {
    /// Rows of the features at the sender and of the gradient at the receiver of an edge.
    #[inline(always)]
    fn ends(&self, edge: usize) -> (&[T], &[T]) {
        let graph = &self.problem.graph;
        let (inputs, outputs) = (self.problem.paths.num_inputs(), self.problem.paths.num_outputs());
        let row = |tensor, rows: usize, node: u32| -> &[T] {
            let len = rows * self.sizes.channels;
            let tensor: &[T] = tensor;
            &tensor[node as usize * len..][..len]
        };
        let sent = row(self.features, inputs, graph.senders().rows()[edge]);
        (sent, row(self.grad, outputs, graph.receivers().rows()[edge]))
    }
}

/// Rows of radial weights a task takes at least, some ten microseconds of work.
const WEIGHTS_PER_TASK: usize = 8;

/// `dR[p, q, c] = sum over the edges of p, m1, m3 of B[m1, m3] h[m1, c] g[m3, c]`.
pub(super) fn radial<T: Element>(slots: Slots<'_, T>) -> Vec<T> {
    let paths = &slots.problem.paths;
    let edge_len = paths.len() * slots.sizes.channels;
    let mix = &paths.plan().to_receivers.mix;
    let scratch = || Scratch::new(mix.len(), paths.num_harmonics());
    let count = slots.sizes.num_weights * edge_len;
    make_rows(count, edge_len * WEIGHTS_PER_TASK, 1, scratch, |scratch, task, out| {
        run(Radial { slots, scratch, first: task * WEIGHTS_PER_TASK, out });
    })
}

/// A few rows of weights with all their edges.
struct Radial<'a, T> {
    slots: Slots<'a, T>,
    scratch: &'a mut Scratch<T>,
    first: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for Radial<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let (paths, channels) = (&self.slots.problem.paths, self.slots.sizes.channels);
        let edge_len = paths.len() * channels;
        let weights = self.slots.problem.graph.weights();
        let last = self.first + self.out.len() / edge_len.max(1);
        let [start, end] = [self.first, last].map(|row| weights.starts()[row] as usize);
        let (plan, lanes) = (paths.plan(), T::Pack::<S>::LANES);
        let mix = &plan.to_receivers.mix;
        for edges in weights.items()[start..end].chunks(lanes) {
            self.scratch.mix::<T::Pack<S>>(mix, self.slots.harmonics, paths.num_harmonics(), edges);
            for (lane, &edge) in edges.iter().enumerate() {
                let (sent, received) = self.slots.ends(edge as usize);
                let row = weights.rows()[edge as usize] as usize - self.first;
                let out = &mut self.out[row * edge_len..][..edge_len];
                for (path, out) in plan.edge_paths.iter().zip(out.chunks_mut(channels)) {
                    let pairs = &self.scratch.pairs;
                    RadialEdge { path, pairs, lane, sent, received }.write::<T::Pack<S>>(out);
                }
            }
        }
    }
}

/// One path of one edge.
struct RadialEdge<'a, T> {
    path: &'a EdgePath,
    pairs: &'a [T],
    lane: usize,
    sent: &'a [T],
    received: &'a [T],
}

impl<T: Element> RadialEdge<'_, T> {
    /// Adds to `out`; compiled once per number of output components.
    #[inline(always)]
    fn write<P: Lanes<Base = T>>(&self, out: &mut [T]) {
        match self.path.outputs.count {
            1 => self.write_rows::<P, 1>(out),
            3 => self.write_rows::<P, 3>(out),
            5 => self.write_rows::<P, 5>(out),
            7 => self.write_rows::<P, 7>(out),
            9 => self.write_rows::<P, 9>(out),
            11 => self.write_rows::<P, 11>(out),
            count => {
                assert!(count == 13, "convolution: a degree has {count} components, at most 13");
                self.write_rows::<P, 13>(out);
            }
        }
    }

    #[inline(always)]
    fn write_rows<P: Lanes<Base = T>, const ROWS: usize>(&self, out: &mut [T]) {
        let [two, one] = starts(out.len(), P::LANES);
        for start in two {
            self.write_wide::<P, ROWS, 2>(out, start);
        }
        for start in one {
            self.write_wide::<P, ROWS, 1>(out, start);
        }
    }

    #[inline(always)]
    fn write_wide<P: Lanes<Base = T>, const ROWS: usize, const W: usize>(
        &self,
        out: &mut [T],
        start: usize,
    ) {
        let channels = out.len();
        let EdgePath { inputs, outputs, first_pair, .. } = self.path;
        let mut received = [[P::zero(); W]; ROWS];
        for component in 0..ROWS {
            received[component] = load_wide(self.received, outputs.at(component), channels, start);
        }
        let mut sum: [P; W] = load_wide(out, 0, channels, start);
        for inner in 0..inputs.count {
            let pair = (first_pair + inner * ROWS) * P::LANES + self.lane;
            let pairs = &self.pairs[pair..=pair + (ROWS - 1) * P::LANES];
            let mut turned = [P::zero(); W];
            for component in 0..ROWS {
                let pair = P::splat(pairs[component * P::LANES]);
                for pack in 0..W {
                    turned[pack] = received[component][pack].mul_add(pair, turned[pack]);
                }
            }
            let sent: [P; W] = load_wide(self.sent, inputs.at(inner), channels, start);
            for pack in 0..W {
                sum[pack] = sent[pack].mul_add(turned[pack], sum[pack]);
            }
        }
        store_wide(sum, out, 0, channels, start);
    }
}

/// Edges a task takes at least, about a hundred microseconds of work.
const EDGES_PER_TASK: usize = 16;

/// Most pairs a path has: 13 components each.
const MOST_PAIRS: usize = 169;

/// `dY[e, m2] = sum over c, paths, m1, m3 of K[m1,m2,m3] R[c] h[m1, c] g[m3, c]`.
pub(super) fn harmonics<T: Element>(slots: Slots<'_, T>) -> Vec<T> {
    let width = slots.problem.paths.num_harmonics();
    let count = slots.sizes.num_edges * width;
    let scratch = || vec![T::ZERO; (MOST_PAIRS + width) * MOST_LANES];
    make_rows(count, EDGES_PER_TASK * width, 1, scratch, |scratch, task, out| {
        run(Harmonics { slots, scratch, first: task * EDGES_PER_TASK, out });
    })
}

/// A few edges. The scratch holds the products of a path and the sums of all harmonics.
struct Harmonics<'a, T> {
    slots: Slots<'a, T>,
    scratch: &'a mut [T],
    first: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for Harmonics<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let Slots { problem, sizes, radial, .. } = self.slots;
        let (lanes, width) = (T::Pack::<S>::LANES, problem.paths.num_harmonics());
        let (products, sums) = self.scratch.split_at_mut(MOST_PAIRS * lanes);
        // The scratch has room for more lanes than this instruction set may have.
        let sums = &mut sums[..width * lanes];
        let (plan, edge_len) = (problem.paths.plan(), problem.paths.len() * sizes.channels);
        for (edge, out) in (self.first..).zip(self.out.chunks_exact_mut(width)) {
            sums.fill(T::ZERO);
            let (sent, received) = self.slots.ends(edge);
            let row = problem.graph.weights().rows()[edge] as usize;
            let radial = radial[row * edge_len..][..edge_len].chunks(sizes.channels.max(1));
            for (path, radial) in plan.edge_paths.iter().zip(radial) {
                let edge = HarmonicsEdge { path, radial, sent, received };
                edge.add::<T::Pack<S>>(products, sums);
            }
            T::Pack::<S>::sums(sums, out);
        }
    }
}

/// One path of one edge.
struct HarmonicsEdge<'a, T> {
    path: &'a EdgePath,
    radial: &'a [T],
    sent: &'a [T],
    received: &'a [T],
}

impl<T: Element> HarmonicsEdge<'_, T> {
    /// Adds to the sum of every harmonic; compiled once per number of output components.
    #[inline(always)]
    fn add<P: Lanes<Base = T>>(&self, products: &mut [T], sums: &mut [T]) {
        match self.path.outputs.count {
            1 => self.multiply_rows::<P, 1>(products),
            3 => self.multiply_rows::<P, 3>(products),
            5 => self.multiply_rows::<P, 5>(products),
            7 => self.multiply_rows::<P, 7>(products),
            9 => self.multiply_rows::<P, 9>(products),
            11 => self.multiply_rows::<P, 11>(products),
            count => {
                assert!(count == 13, "convolution: a degree has {count} components, at most 13");
                self.multiply_rows::<P, 13>(products);
            }
        }
        let EdgePath { first_column, unmix, .. } = self.path;
        for harmonic in 0..unmix.len() {
            let to = &mut sums[(first_column + harmonic) * P::LANES..][..P::LANES];
            let mut sum = P::load(to);
            for weight in unmix.row(harmonic) {
                let product = P::load(&products[weight.place as usize * P::LANES..][..P::LANES]);
                sum = product.mul_add(P::splat(T::of(weight.value)), sum);
            }
            sum.store(to);
        }
    }

    /// Channels are summed first, lane by lane.
    #[inline(always)]
    fn multiply_rows<P: Lanes<Base = T>, const ROWS: usize>(&self, products: &mut [T]) {
        let [two, one] = starts(self.radial.len(), P::LANES);
        for start in two {
            self.multiply::<P, ROWS, 2>(start, products);
        }
        for start in one {
            self.multiply::<P, ROWS, 1>(start, products);
        }
    }

    /// Adds `R h[m1] g[m3]` of all pairs for channels from `start`; the first replace.
    #[inline(always)]
    fn multiply<P: Lanes<Base = T>, const ROWS: usize, const W: usize>(
        &self,
        start: usize,
        products: &mut [T],
    ) {
        let channels = self.radial.len();
        let EdgePath { inputs, outputs, .. } = self.path;
        let weight: [P; W] = load_wide(self.radial, 0, channels, start);
        let mut received = [[P::zero(); W]; ROWS];
        for component in 0..ROWS {
            received[component] = load_wide(self.received, outputs.at(component), channels, start);
        }
        for inner in 0..inputs.count {
            let mut sent: [P; W] = load_wide(self.sent, inputs.at(inner), channels, start);
            for pack in 0..W {
                sent[pack] = sent[pack].mul(weight[pack]);
            }
            let products = &mut products[inner * ROWS * P::LANES..][..ROWS * P::LANES];
            for component in 0..ROWS {
                let to = &mut products[component * P::LANES..][..P::LANES];
                let mut sum = if start == 0 { P::zero() } else { P::load(to) };
                for pack in 0..W {
                    sum = sent[pack].mul_add(received[component][pack], sum);
                }
                sum.store(to);
            }
        }
    }
}
