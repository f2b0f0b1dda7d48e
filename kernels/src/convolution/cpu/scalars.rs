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
use crate::cpu::{
    Element, Job, Lanes, MOST_LANES, Set, load_wide, make_rows, run, starts, store_wide,
};
use crate::rows::RowIndex;

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

/// What an edge reads.
struct Edge<'a, T, const M: usize> {
    channels: usize,
    /// `[C]`
    sent: &'a [T],
    /// `[L, C]`
    weights: &'a [T],
    /// Absent where that slot is open.
    harmonics: Option<&'a [T; M]>,
    /// `[M, C]`; empty where that slot is open.
    received: &'a [T],
}

impl<'a, T: Element> Slots<'a, T> {
    #[inline(always)]
    fn edge<const L: usize, const M: usize>(&self, edge: usize) -> Edge<'a, T, M> {
        let graph = &self.problem.graph;
        let row = |numbers: &'a [T], at: usize, len: usize| -> &'a [T] {
            if numbers.is_empty() { numbers } else { &numbers[at * len..][..len] }
        };
        let [sender, receiver, weights] = [graph.senders(), graph.receivers(), graph.weights()]
            .map(|index| index.rows()[edge] as usize);
        let (channels, width) = (self.sizes.channels, self.problem.paths.num_harmonics());
        Edge {
            channels,
            sent: row(self.features, sender, channels),
            weights: row(self.radial, weights, L * channels),
            harmonics: row(self.harmonics, edge, width).first_chunk(),
            received: row(self.grad, receiver, M * channels),
        }
    }
}

/// Packs of row `row` of `rows`, whole ones unless `W` is 1.
///
/// Bounds were checked when the edge's rows were found, and again would be half of the work.
#[inline(always)]
fn load<P: Lanes, const W: usize>(
    rows: &[P::Base],
    row: usize,
    channels: usize,
    start: usize,
) -> [P; W] {
    if W == 1 {
        return load_wide(rows, row, channels, start);
    }
    let first = row * channels + start;
    debug_assert!(first + W * P::LANES <= rows.len(), "{first} of {}", rows.len());
    let mut packs = [P::zero(); W];
    for pack in 0..W {
        // SAFETY: `rows` holds whole rows of `channels`, `row` is one of them, and packs from
        // `start` end before `channels` does.
        packs[pack] = unsafe { P::load_from(rows.as_ptr().add(first + pack * P::LANES)) };
    }
    packs
}

impl<T: Element, const M: usize> Edge<'_, T, M> {
    /// `R h` of every path.
    #[inline(always)]
    fn weighted<P: Lanes<Base = T>, const W: usize, const L: usize>(
        &self,
        start: usize,
    ) -> [[P; W]; L] {
        let sent: [P; W] = load(self.sent, 0, self.channels, start);
        let mut weighted = [sent; L];
        for l in 0..L {
            let weight: [P; W] = load(self.weights, l, self.channels, start);
            for pack in 0..W {
                weighted[l][pack] = sent[pack].mul(weight[pack]);
            }
        }
        weighted
    }

    /// `t` of every path.
    #[inline(always)]
    fn turned<P: Lanes<Base = T>, const W: usize, const L: usize>(
        &self,
        start: usize,
    ) -> [[P; W]; L] {
        let mut turned = [[P::zero(); W]; L];
        let Some(harmonics) = self.harmonics else { return turned };
        for m in 0..M {
            let received: [P; W] = load(self.received, m, self.channels, start);
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
            let owner = Owner { slots, edges: edges.items_of(owner), out };
            match open {
                Slot::Grad => owner.messages::<P, L, M>(),
                Slot::Features => owner.features::<P, L, M>(),
                _ => owner.radial::<P, L, M>(),
            }
        }
    }
}

/// One node or row of weights.
struct Owner<'a, T> {
    slots: Slots<'a, T>,
    edges: &'a [u32],
    out: &'a mut [T],
}

impl<T: Element> Owner<'_, T> {
    #[inline(always)]
    fn messages<P: Lanes<Base = T>, const L: usize, const M: usize>(mut self) {
        let [two, one] = starts(self.slots.sizes.channels, P::LANES);
        for start in two {
            self.messages_wide::<P, 2, L, M>(start);
        }
        for start in one {
            self.messages_wide::<P, 1, L, M>(start);
        }
    }

    #[inline(always)]
    fn messages_wide<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &mut self,
        start: usize,
    ) {
        let mut sums = [[P::zero(); W]; M];
        for &edge in self.edges {
            let edge = self.slots.edge::<L, M>(edge as usize);
            let Some(harmonics) = edge.harmonics else { return };
            let weighted = edge.weighted::<P, W, L>(start);
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
    fn features<P: Lanes<Base = T>, const L: usize, const M: usize>(mut self) {
        let [two, one] = starts(self.slots.sizes.channels, P::LANES);
        for start in two {
            self.features_wide::<P, 2, L, M>(start);
        }
        for start in one {
            self.features_wide::<P, 1, L, M>(start);
        }
    }

    #[inline(always)]
    fn features_wide<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &mut self,
        start: usize,
    ) {
        let channels = self.slots.sizes.channels;
        let mut sum = [P::zero(); W];
        for &edge in self.edges {
            let edge = self.slots.edge::<L, M>(edge as usize);
            let turned = edge.turned::<P, W, L>(start);
            for l in 0..L {
                let weight: [P; W] = load(edge.weights, l, channels, start);
                for pack in 0..W {
                    sum[pack] = turned[l][pack].mul_add(weight[pack], sum[pack]);
                }
            }
        }
        store_wide(sum, self.out, 0, channels, start);
    }

    #[inline(always)]
    fn radial<P: Lanes<Base = T>, const L: usize, const M: usize>(mut self) {
        let [two, one] = starts(self.slots.sizes.channels, P::LANES);
        for start in two {
            self.radial_wide::<P, 2, L, M>(start);
        }
        for start in one {
            self.radial_wide::<P, 1, L, M>(start);
        }
    }

    #[inline(always)]
    fn radial_wide<P: Lanes<Base = T>, const W: usize, const L: usize, const M: usize>(
        &mut self,
        start: usize,
    ) {
        let channels = self.slots.sizes.channels;
        let mut sums = [[P::zero(); W]; L];
        for &edge in self.edges {
            let edge = self.slots.edge::<L, M>(edge as usize);
            let turned = edge.turned::<P, W, L>(start);
            let sent: [P; W] = load(edge.sent, 0, channels, start);
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
            let edge = self.slots.edge::<L, M>(edge);
            let [two, one] = starts(edge.channels, P::LANES);
            let mut sums = [P::zero(); M];
            for start in two {
                edge.add_products::<P, 2, L>(start, &mut sums);
            }
            for start in one {
                edge.add_products::<P, 1, L>(start, &mut sums);
            }
            for m in 0..M {
                sums[m].store(&mut products[m * P::LANES..][..P::LANES]);
            }
            P::sums(products, &mut out[..M]);
        }
    }
}

impl<T: Element, const M: usize> Edge<'_, T, M> {
    #[inline(always)]
    fn add_products<P: Lanes<Base = T>, const W: usize, const L: usize>(
        &self,
        start: usize,
        sums: &mut [P; M],
    ) {
        let weighted = self.weighted::<P, W, L>(start);
        for m in 0..M {
            let received: [P; W] = load(self.received, m, self.channels, start);
            for pack in 0..W {
                sums[m] = received[pack].mul_add(weighted[DEGREES[m]][pack], sums[m]);
            }
        }
    }
}
