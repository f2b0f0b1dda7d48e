//! The four forms where features are scalars: the first layer of every network, and all layers of
//! one without higher degrees.
//!
//! The path of degree l couples (0, l, l) by the identity, so there are no pairs to make, and the
//! rows of an output are those of the harmonics:
//!
//! ```text
//! y[n, m]    sum over edges onto n of R[w, l(m)] h[s] Y[e, m]
//! t[e, l]    sum over the m of l of Y[e, m] g[r, m]
//! dh[n]      sum over edges from n, and l, of R[w, l] t[e, l]
//! dR[w, l]   sum over edges of w of h[s] t[e, l]
//! dY[e, m]   sum over channels of R[w, l(m)] h[s] g[r, m]
//! ```
//!
//! All rows of a pack of channels stay in registers while the edges pass.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use super::{Slot, Slots};
use crate::cpu::{Element, Job, Lanes, MOST_LANES, Rows, Set, make_rows, run, starts, store_wide};
use crate::families::rows::RowIndex;

/// Edges a task takes at least, a few microseconds of work.
const EDGES_PER_TASK: usize = 64;

/// The degree of every row.
const DEGREES: [usize; 49] = {
    let (mut degrees, mut row) = ([0; 49], 0);
    while row < 49 {
        degrees[row] = row.isqrt();
        row += 1;
    }
    degrees
};

/// Calls a method with the constant numbers of paths and of rows, `L` and `M = L^2`.
macro_rules! sized {
    ($paths:expr, $self:ident.$method:ident::<$pack:ty>()) => {
        match $paths {
            1 => $self.$method::<$pack, 1, 1>(),
            2 => $self.$method::<$pack, 2, 4>(),
            3 => $self.$method::<$pack, 3, 9>(),
            4 => $self.$method::<$pack, 4, 16>(),
            5 => $self.$method::<$pack, 5, 25>(),
            6 => $self.$method::<$pack, 6, 36>(),
            paths => {
                assert!(paths == 7, "convolution: {paths} paths of scalars, at most 7");
                $self.$method::<$pack, 7, 49>()
            }
        }
    };
}

/// The form with this slot open.
pub(super) fn form<T: Element>(slots: Slots<'_, T>, open: Slot) -> Vec<T> {
    let (graph, paths) = (&slots.problem.graph, &slots.problem.paths);
    match open {
        Slot::Grad => of_owners(slots, open, graph.receivers(), paths.num_outputs()),
        Slot::Features => of_owners(slots, open, graph.senders(), 1),
        Slot::Radial => of_owners(slots, open, graph.weights(), paths.len()),
        Slot::Harmonics => of_edges(slots),
    }
}

/// `rows` rows for each that edges name in `owners`.
fn of_owners<T: Element>(
    slots: Slots<'_, T>,
    open: Slot,
    owners: &RowIndex,
    rows: usize,
) -> Vec<T> {
    let (len, count) = (rows * slots.sizes.channels, owners.num_rows());
    let edges_each = owners.num_items().div_ceil(count.max(1));
    let size = EDGES_PER_TASK.div_ceil(edges_each.max(1));
    make_rows(
        count * len,
        size * len,
        1,
        || (),
        |(), task, out| {
            run(Owners { slots, open, edges: owners, first: task * size, len, out });
        },
    )
}

fn of_edges<T: Element>(slots: Slots<'_, T>) -> Vec<T> {
    let width = slots.problem.paths.num_harmonics();
    let count = slots.sizes.num_edges * width;
    let scratch = || vec![T::ZERO; width * MOST_LANES];
    make_rows(count, EDGES_PER_TASK * width, 1, scratch, |products, task, out| {
        run(Edges { slots, first: task * EDGES_PER_TASK, products, out });
    })
}

// What an edge reads, for `L` paths of `M` components.
impl<'a, T: Element> Slots<'a, T> {
    /// `h`, one row.
    #[inline(always)]
    fn sent(&self, edge: usize) -> Rows<'a, T> {
        let node = self.problem.graph.senders().rows()[edge] as usize;
        Rows::block(self.features, node, 1, self.sizes.channels)
    }

    /// `R`, `L` rows.
    #[inline(always)]
    fn weights<const L: usize>(&self, edge: usize) -> Rows<'a, T> {
        let row = self.problem.graph.weights().rows()[edge] as usize;
        Rows::block(self.radial, row, L, self.sizes.channels)
    }

    /// `g`, `M` rows.
    #[inline(always)]
    fn received<const M: usize>(&self, edge: usize) -> Rows<'a, T> {
        let node = self.problem.graph.receivers().rows()[edge] as usize;
        Rows::block(self.grad, node, M, self.sizes.channels)
    }

    /// `Y`, the components that have a path.
    #[inline(always)]
    fn components<const M: usize>(&self, edge: usize) -> &'a [T; M] {
        let width = self.problem.paths.num_harmonics();
        let of_edge = &self.harmonics[edge * width..][..M];
        of_edge.try_into().unwrap_or_else(|_| unreachable!("{M} of {M}"))
    }

    /// `R h` of every path for channels from `start`.
    #[inline(always)]
    fn weighted<P: Lanes<Base = T>, const W: usize, const L: usize>(
        &self,
        edge: usize,
        start: usize,
    ) -> [[P; W]; L] {
        let (sent, weights) = (self.sent(edge).packs::<P, W>(0, start), self.weights::<L>(edge));
        let mut weighted = [sent; L];
        for l in 0..L {
            let weight: [P; W] = weights.packs(l, start);
            for pack in 0..W {
                weighted[l][pack] = sent[pack].mul(weight[pack]);
            }
        }
        weighted
    }

    /// `t` of every path for channels from `start`.
    #[inline(always)]
    fn turned<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &self,
        edge: usize,
        start: usize,
    ) -> [[P; W]; L] {
        let (harmonics, received) = (self.components::<M>(edge), self.received::<M>(edge));
        let mut turned = [[P::zero(); W]; L];
        for m in 0..M {
            let received: [P; W] = received.packs(m, start);
            let harmonic = P::splat(harmonics[m]);
            let sum = &mut turned[DEGREES[m]];
            for pack in 0..W {
                sum[pack] = received[pack].mul_add(harmonic, sum[pack]);
            }
        }
        turned
    }
}

/// Sums over the edges of some nodes, or of some rows of weights. Zero before.
struct Owners<'a, T> {
    slots: Slots<'a, T>,
    open: Slot,
    edges: &'a RowIndex,
    first: usize,
    /// Numbers of each.
    len: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for Owners<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        sized!(self.slots.problem.paths.len(), self.sum::<T::Pack<S>>());
    }
}

impl<T: Element> Owners<'_, T> {
    #[inline(always)]
    fn sum<P: Lanes<Base = T>, const L: usize, const M: usize>(self) {
        let Self { slots, open, edges, first, len, out } = self;
        for (owner, out) in (first..).zip(out.chunks_exact_mut(len)) {
            let mut owner = Owner { slots, open, edges: edges.items_of(owner), out };
            let [two, one] = starts(slots.sizes.channels, P::LANES);
            for start in two {
                owner.sum::<P, 2, L, M>(start);
            }
            for start in one {
                owner.sum::<P, 1, L, M>(start);
            }
        }
    }
}

/// One node or row of weights.
struct Owner<'a, T> {
    slots: Slots<'a, T>,
    open: Slot,
    edges: &'a [u32],
    out: &'a mut [T],
}

impl<T: Element> Owner<'_, T> {
    /// Its numbers for channels from `start`.
    #[inline(always)]
    fn sum<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &mut self,
        start: usize,
    ) {
        match self.open {
            Slot::Grad => self.messages::<P, W, L, M>(start),
            Slot::Features => self.features::<P, W, L, M>(start),
            Slot::Radial => self.radial::<P, W, L, M>(start),
            Slot::Harmonics => unreachable!("harmonics belong to edges"),
        }
    }

    #[inline(always)]
    fn messages<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &mut self,
        start: usize,
    ) {
        let mut sums = [[P::zero(); W]; M];
        for &edge in self.edges {
            let harmonics = self.slots.components::<M>(edge as usize);
            let weighted = self.slots.weighted::<P, W, L>(edge as usize, start);
            for m in 0..M {
                let harmonic = P::splat(harmonics[m]);
                for pack in 0..W {
                    sums[m][pack] = weighted[DEGREES[m]][pack].mul_add(harmonic, sums[m][pack]);
                }
            }
        }
        for m in 0..M {
            store_wide(sums[m], self.out, m, self.slots.sizes.channels, start);
        }
    }

    #[inline(always)]
    fn features<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &mut self,
        start: usize,
    ) {
        let channels = self.slots.sizes.channels;
        let mut sum = [P::zero(); W];
        for &edge in self.edges {
            let turned = self.slots.turned::<P, W, L, M>(edge as usize, start);
            let weights = self.slots.weights::<L>(edge as usize);
            for l in 0..L {
                let weight: [P; W] = weights.packs(l, start);
                for pack in 0..W {
                    sum[pack] = turned[l][pack].mul_add(weight[pack], sum[pack]);
                }
            }
        }
        store_wide(sum, self.out, 0, channels, start);
    }

    #[inline(always)]
    fn radial<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &mut self,
        start: usize,
    ) {
        let channels = self.slots.sizes.channels;
        let mut sums = [[P::zero(); W]; L];
        for &edge in self.edges {
            let turned = self.slots.turned::<P, W, L, M>(edge as usize, start);
            let sent: [P; W] = self.slots.sent(edge as usize).packs(0, start);
            for l in 0..L {
                for pack in 0..W {
                    sums[l][pack] = turned[l][pack].mul_add(sent[pack], sums[l][pack]);
                }
            }
        }
        for l in 0..L {
            store_wide(sums[l], self.out, l, channels, start);
        }
    }
}

/// The gradients of the harmonics of some edges. Those without a path stay zero.
struct Edges<'a, T> {
    slots: Slots<'a, T>,
    first: usize,
    /// Room for a pack per harmonic.
    products: &'a mut [T],
    out: &'a mut [T],
}

impl<T: Element> Job for Edges<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        sized!(self.slots.problem.paths.len(), self.all::<T::Pack<S>>());
    }
}

impl<T: Element> Edges<'_, T> {
    #[inline(always)]
    fn all<P: Lanes<Base = T>, const L: usize, const M: usize>(self) {
        let width = self.slots.problem.paths.num_harmonics();
        let products = &mut self.products[..M * P::LANES];
        for (edge, out) in (self.first..).zip(self.out.chunks_exact_mut(width)) {
            let [two, one] = starts(self.slots.sizes.channels, P::LANES);
            let mut sums = [P::zero(); M];
            for start in two {
                self.slots.add_products::<P, 2, L, M>(edge, start, &mut sums);
            }
            for start in one {
                self.slots.add_products::<P, 1, L, M>(edge, start, &mut sums);
            }
            for m in 0..M {
                sums[m].store(&mut products[m * P::LANES..][..P::LANES]);
            }
            P::sums(products, &mut out[..M]);
        }
    }
}

impl<T: Element> Slots<'_, T> {
    /// Adds `R h g` of channels from `start`, a pack to another.
    #[inline(always)]
    fn add_products<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &self,
        edge: usize,
        start: usize,
        sums: &mut [P; M],
    ) {
        let weighted = self.weighted::<P, W, L>(edge, start);
        let received = self.received::<M>(edge);
        for m in 0..M {
            let received: [P; W] = received.packs(m, start);
            for pack in 0..W {
                sums[m] = received[pack].mul_add(weighted[DEGREES[m]][pack], sums[m]);
            }
        }
    }
}
