//! Cost of the four forms, with the edges' senders gathered from a cache.
//!
//! Per edge and channel a path costs, with its small matrix `B` (`[2 l3 + 1, 2 l1 + 1]`, made once
//! per edge for all channels): the weight times each feature, and a multiply-add per entry of `B`.
//! Memory: features and outputs cross once per node, weights and harmonics once per edge.

use super::Paths;
use crate::Work;

/// Nodes, edges, channels and bytes of an element.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// `N`.
    pub num_nodes: usize,
    /// `E`.
    pub num_edges: usize,
    /// `C`.
    pub channels: usize,
    /// 4 or 8.
    pub element_bytes: usize,
}

/// `y`: per path `d1` products and `d1 d3` multiply-adds per channel; `B` once per edge.
pub fn forward(paths: &Paths, extent: Extent) -> Work {
    let per_channel = per_path(paths, |d1, d3| d1 + 2 * d1 * d3);
    work(paths, extent, per_channel)
}

/// `dh`: per path `d3` products and `d1 d3` multiply-adds per channel; `B` once per edge.
pub fn features(paths: &Paths, extent: Extent) -> Work {
    let per_channel = per_path(paths, |d1, d3| d3 + 2 * d1 * d3);
    work(paths, extent, per_channel)
}

/// `dR`: per path `d1 d3 + d3` multiply-adds per channel; `B` once per edge.
pub fn radial(paths: &Paths, extent: Extent) -> Work {
    let per_channel = per_path(paths, |d1, d3| 2 * d1 * d3 + 2 * d3);
    work(paths, extent, per_channel)
}

/// `dY`: per path `d1` products and `d1 d3` multiply-adds per channel; the coefficients once per
/// edge.
pub fn harmonics(paths: &Paths, extent: Extent) -> Work {
    let per_channel = per_path(paths, |d1, d3| d1 + 2 * d1 * d3);
    work(paths, extent, per_channel)
}

fn per_path(paths: &Paths, flops: impl Fn(usize, usize) -> usize) -> usize {
    paths.iter().map(|path| flops(path.inputs().len(), path.num_components())).sum()
}

/// Features and outputs per node, plus weights, harmonics and their coefficients per edge. The
/// two forms per edge read both node arrays and write `R` or `Y`, the forms per node read one and
/// write the other: the same traffic.
fn work(paths: &Paths, extent: Extent, per_channel: usize) -> Work {
    let terms: usize = paths.iter().map(|path| path.terms.len()).sum();
    let flops = extent.num_edges * (per_channel * extent.channels + 2 * terms);
    let per_node = (paths.num_inputs() + paths.num_outputs()) * extent.channels;
    let per_edge = paths.len() * extent.channels + paths.num_harmonics();
    let elements = extent.num_nodes * per_node + extent.num_edges * per_edge;
    let graph = Work::new(0.0, 2.0 * extent.num_edges as f64, 4);
    Work::new(flops as f64, elements as f64, extent.element_bytes) + graph
}
