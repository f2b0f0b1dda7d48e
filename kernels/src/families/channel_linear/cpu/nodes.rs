//! Nodes by species, and where their numbers start.

use std::ops::Range;

use super::super::{Block, ChannelLinear};

/// The nodes of every species among `nodes`, ascending.
pub(super) fn by_species(map: &ChannelLinear, nodes: Range<usize>) -> Vec<(usize, Vec<usize>)> {
    let Some(species) = &map.species else { return vec![(0, nodes.collect())] };
    let mut lists: Vec<(usize, Vec<usize>)> = Vec::new();
    for node in nodes {
        let z = species.rows()[node] as usize;
        match lists.iter_mut().find(|(of, _)| *of == z) {
            Some((_, list)) => list.push(node),
            None => lists.push((z, vec![node])),
        }
    }
    lists
}

/// Where the components of a degree start in an input and in an output, node by node; a node has so
/// many numbers in both.
pub(super) fn starts(
    block: &Block,
    channels: usize,
    nodes: &[usize],
    node_len: [usize; 2],
) -> Vec<[usize; 2]> {
    let mut starts = Vec::with_capacity(nodes.len() * block.components);
    for node in nodes {
        let first_input = node * node_len[0] + block.first_input * channels;
        let first_output = node * node_len[1] + block.first_output * channels;
        starts.extend((0..block.components).map(|component| {
            [first_input + component * block.inputs, first_output + component * channels]
        }));
    }
    starts
}
