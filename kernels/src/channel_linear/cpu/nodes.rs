//! Nodes of one species side by side, as matrices: a component of a degree is one of any distance of
//! rows, so only nodes among others of another species are copied together first.

use std::ops::Range;

use super::super::{Block, ChannelLinear};
use crate::cpu::{Plain, Scratch, Set, copy};
use crate::matmul::Matrix;

/// The nodes of one species, ascending.
#[derive(Debug, Clone)]
pub(super) enum Nodes {
    /// All of a range.
    All(Range<usize>),
    /// These.
    Some(Vec<usize>),
}

impl Nodes {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(range) => range.len(),
            Self::Some(list) => list.len(),
        }
    }

    /// Their `node_len` numbers each, one node behind the other; copied to `room` where they are not.
    #[inline(always)]
    pub(super) fn together<'a, S: Set, T: crate::cpu::Element + Plain>(
        &self,
        from: &'a [T],
        node_len: usize,
        room: &'a mut Scratch<T>,
    ) -> &'a [T] {
        match self {
            Self::All(range) => &from[range.start * node_len..range.end * node_len],
            Self::Some(list) => {
                let room = room.room(list.len() * node_len);
                for (&node, to) in list.iter().zip(room.chunks_exact_mut(node_len)) {
                    copy::<S, T>(&from[node * node_len..][..node_len], to);
                }
                room
            }
        }
    }
}

/// The nodes of every species among `nodes`.
pub(super) fn by_species(map: &ChannelLinear, nodes: Range<usize>) -> Vec<(usize, Nodes)> {
    let Some(species) = &map.species else { return vec![(0, Nodes::All(nodes))] };
    let mut lists: Vec<(usize, Vec<usize>)> = Vec::new();
    for node in nodes.clone() {
        let z = species.rows()[node] as usize;
        match lists.iter_mut().find(|(of, _)| *of == z) {
            Some((_, list)) => list.push(node),
            None => lists.push((z, vec![node])),
        }
    }
    if let [(z, _)] = lists[..] {
        return vec![(z, Nodes::All(nodes))];
    }
    lists.into_iter().map(|(z, list)| (z, Nodes::Some(list))).collect()
}

/// One component of a degree in the numbers of nodes: `[nodes, width]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    pub(super) first: usize,
    pub(super) width: usize,
}

impl Component {
    pub(super) fn of_input(block: &Block, channels: usize, component: usize) -> Self {
        let first = block.first_input * channels + component * block.inputs;
        Self { first, width: block.inputs }
    }

    pub(super) fn of_output(block: &Block, channels: usize, component: usize) -> Self {
        Self { first: (block.first_output + component) * channels, width: channels }
    }

    /// Of nodes that lie together.
    #[inline(always)]
    pub(super) fn matrix<'a, T>(
        &self,
        nodes: &'a [T],
        count: usize,
        node_len: usize,
    ) -> Matrix<'a, T> {
        // Without nodes there is nothing at the first place.
        let numbers = nodes.get(self.first..).unwrap_or_default();
        Matrix::strided(numbers, [count, self.width], [node_len, 1])
    }
}
