//! Outputs of nodes and gradients of their inputs, a few nodes a task.
//!
//! Two nodes of one species pass side by side: they share the coefficients and the way through the
//! tree. Their inputs, two packs of channels wide, are loaded once and stay in the first cache while
//! the terms pass. Numbers that carry their derivative turn each loop into that of its change along
//! a direction, so there is none per derivative.
use super::super::{ContractionProblem, Sizes};
use super::together::Together;
use crate::cpu::{Element, Job, Lanes, Moving, Number, Set, load_wide, make_rows, run, starts};

/// Nodes of a task: enough to find two of a species among them.
const NODES_PER_TASK: usize = 12;

/// Most nodes side by side.
pub(super) const SIDE_BY_SIDE: usize = 2;

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

/// Packs side by side: `C` packs of channels of a node, then those of the other node if there is one.
pub(super) type Wide<N, const W: usize> = [N; W];

/// Nodes side by side; where there is one, it is the first.
pub(super) type Nodes = [usize; SIDE_BY_SIDE];

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
    /// Inputs of nodes for channels from `start`.
    #[inline(always)]
    pub(super) fn load<N: Number, const C: usize, const W: usize>(
        &self,
        nodes: Nodes,
        start: usize,
        inputs: &mut Vec<Wide<N, W>>,
    ) where
        N::Plain: Lanes<Base = T>,
    {
        let count = self.problem.terms.num_inputs;
        inputs.clear();
        for row in 0..count {
            let rows = nodes.map(|node| node * count + row);
            let value: Wide<N::Plain, W> = self.wide::<_, C, W>(self.x, rows, start);
            let mut wide = [N::constant(N::Plain::zero()); W];
            for pack in 0..W {
                wide[pack] = N::of(value[pack], || {
                    let slope: Wide<N::Plain, W> = self.wide::<_, C, W>(self.along, rows, start);
                    slope[pack]
                });
            }
            inputs.push(wide);
        }
    }

    /// A row of one of the tensors for every node.
    #[inline(always)]
    pub(super) fn wide<P: Lanes<Base = T>, const C: usize, const W: usize>(
        &self,
        from: &[T],
        rows: Nodes,
        start: usize,
    ) -> Wide<P, W> {
        let mut wide = [P::zero(); W];
        for at in 0..W / C {
            let packs: [P; C] = load_wide(from, rows[at], self.sizes.channels, start);
            for pack in 0..C {
                wide[at * C + pack] = packs[pack];
            }
        }
        wide
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
        let species = &self.call.problem.species;
        let count = self.out.len() / self.row_len;
        let mut nodes: Vec<usize> = (self.first..self.first + count).collect();
        nodes.sort_by_key(|&node| species[node]);
        let of_species = nodes.chunk_by(|&a, &b| species[a] == species[b]);
        let [two, one] = starts(self.call.sizes.channels, N::Plain::LANES);
        for nodes in of_species.flat_map(|nodes| nodes.chunks(SIDE_BY_SIDE)) {
            if let [a, b] = *nodes {
                self.channels::<N, 2, 4>([a, b], two.clone());
                self.channels::<N, 1, 2>([a, b], one.clone());
            } else {
                self.channels::<N, 2, 2>([nodes[0]; 2], two.clone());
                self.channels::<N, 1, 1>([nodes[0]; 2], one.clone());
            }
        }
    }

    #[inline(always)]
    fn channels<N: Number, const C: usize, const W: usize>(
        &mut self,
        nodes: Nodes,
        starts: impl Iterator<Item = usize>,
    ) where
        N::Plain: Lanes<Base = T>,
    {
        let mut starts = starts.peekable();
        if starts.peek().is_none() {
            return;
        }
        let (call, terms) = (self.call, &self.call.problem.terms);
        let mut inputs = Vec::with_capacity(terms.num_inputs);
        let mut sums = vec![[N::Plain::zero(); W]; terms.num_inputs];
        let len = terms.list.len() * call.sizes.channels;
        let species = call.problem.species[nodes[0]] as usize;
        let coefficients = &call.coefficients[species * len..][..len];
        for start in starts {
            call.load::<N, C, W>(nodes, start, &mut inputs);
            let mut together = Together::<T, N, C, W> {
                call,
                nodes,
                start,
                coefficients,
                inputs: &inputs,
                first: self.first,
                out: self.out,
            };
            match self.wanted {
                Wanted::Output => together.outputs(),
                _ => together.gradients(&mut sums),
            }
        }
    }
}
