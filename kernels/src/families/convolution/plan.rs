//! The paths as the kernels of the CPU walk them.
//!
//! Per edge the harmonics are first contracted with the coefficients of all paths to a list of
//! small matrices ("pairs" of an input and an output component), common to all channels.

use super::paths::{Path, degree_rows};

/// `pair[p] += value * Y[column]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weight {
    pub(crate) place: u32,
    pub(crate) value: f64,
}

/// Rows of weights: row `r` is `weights[starts[r]..starts[r + 1]]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SparseRows {
    pub(crate) starts: Vec<u32>,
    pub(crate) weights: Vec<Weight>,
}

impl SparseRows {
    fn new(rows: Vec<Vec<Weight>>) -> Self {
        let mut starts = vec![0];
        let mut weights = Vec::new();
        for row in rows {
            weights.extend(row);
            starts.push(number(weights.len()));
        }
        Self { starts, weights }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    #[inline]
    pub(crate) fn row(&self, row: usize) -> &[Weight] {
        &self.weights[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

/// Rows of one block of a node's tensor: `first`, `first + stride`, …, `count` of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rows {
    pub(crate) first: usize,
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

impl Rows {
    #[inline]
    pub(crate) fn at(&self, component: usize) -> usize {
        self.first + component * self.stride
    }
}

/// What one path adds to a block: its inner components, and the first of its pairs, which are
/// `[inner, component of the block]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Source {
    pub(crate) path: usize,
    pub(crate) inner: Rows,
    pub(crate) first_pair: usize,
}

/// A block of a node's result and all that is summed into it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub(crate) rows: Rows,
    pub(crate) sources: Vec<Source>,
}

/// One of the two forms that sum over the edges of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeForm {
    pub(crate) blocks: Vec<Block>,
    /// A row per pair, places are columns of the harmonics.
    pub(crate) mix: SparseRows,
}

/// A path as the two forms that write per edge walk it; pairs are `[input, output]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EdgePath {
    pub(crate) inputs: Rows,
    pub(crate) outputs: Rows,
    pub(crate) first_pair: usize,
    /// First column of its harmonics.
    pub(crate) first_column: usize,
    /// A row per harmonic of the path, places are its pairs counted from 0.
    pub(crate) unmix: SparseRows,
}

/// Everything the four kernels need.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Sums features of senders onto receivers.
    pub(crate) to_receivers: NodeForm,
    /// Sums gradients of receivers onto senders.
    pub(crate) to_senders: NodeForm,
    pub(crate) edge_paths: Vec<EdgePath>,
}

impl Plan {
    pub(crate) fn new(paths: &[Path], max_in: usize) -> Self {
        Self {
            to_receivers: to_receivers(paths),
            to_senders: to_senders(paths, max_in),
            edge_paths: edge_paths(paths),
        }
    }
}

fn inputs(path: &Path) -> Rows {
    Rows { first: path.inputs().start, stride: 1, count: path.inputs().len() }
}

fn outputs(path: &Path) -> Rows {
    Rows { first: path.first_output, stride: path.output_stride, count: path.num_components() }
}

/// Where the pairs of each path start; there are as many in both orders.
fn first_pairs(paths: &[Path]) -> Vec<usize> {
    let mut next = 0;
    let mut first = |path: &Path| {
        let at = next;
        next += path.inputs().len() * path.num_components();
        at
    };
    paths.iter().map(&mut first).collect()
}

/// The weights of every pair; `pair(m1, m3, d1, d3)` numbers the pairs of a path.
fn mix(paths: &[Path], pair: impl Fn(usize, usize, usize, usize) -> usize) -> SparseRows {
    let mut rows = Vec::new();
    for path in paths {
        let (d1, d3) = (path.inputs().len(), path.num_components());
        let mut of_path = vec![Vec::new(); d1 * d3];
        for term in &path.terms {
            let [m1, m2, m3] = term.components;
            let place = number(path.harmonics().start + m2);
            of_path[pair(m1, m3, d1, d3)].push(Weight { place, value: term.value });
        }
        rows.append(&mut of_path);
    }
    SparseRows::new(rows)
}

fn to_receivers(paths: &[Path]) -> NodeForm {
    let block = |((path, first_pair), at): ((&Path, usize), usize)| Block {
        rows: outputs(path),
        sources: vec![Source { path: at, inner: inputs(path), first_pair }],
    };
    let blocks = paths.iter().zip(first_pairs(paths)).zip(0..).map(block).collect();
    NodeForm { blocks, mix: mix(paths, |m1, m3, _, d3| m1 * d3 + m3) }
}

fn to_senders(paths: &[Path], max_in: usize) -> NodeForm {
    let first_pairs = first_pairs(paths);
    let block = |degree: usize| {
        let from = |(at, path): (usize, &Path)| {
            let first_pair = first_pairs[at];
            let source = Source { path: at, inner: outputs(path), first_pair };
            (path.degrees[0] == degree).then_some(source)
        };
        let rows = degree_rows(degree);
        Block {
            rows: Rows { first: rows.start, stride: 1, count: rows.len() },
            sources: paths.iter().enumerate().filter_map(from).collect(),
        }
    };
    let blocks = (0..=max_in).map(block).collect();
    NodeForm { blocks, mix: mix(paths, |m1, m3, d1, _| m3 * d1 + m1) }
}

fn edge_paths(paths: &[Path]) -> Vec<EdgePath> {
    let edge_path = |(path, first_pair): (&Path, usize)| {
        let d3 = path.num_components();
        let mut rows = vec![Vec::new(); path.harmonics().len()];
        for term in &path.terms {
            let [m1, m2, m3] = term.components;
            rows[m2].push(Weight { place: number(m1 * d3 + m3), value: term.value });
        }
        EdgePath {
            inputs: inputs(path),
            outputs: outputs(path),
            first_pair,
            first_column: path.harmonics().start,
            unmix: SparseRows::new(rows),
        }
    };
    paths.iter().zip(first_pairs(paths)).map(edge_path).collect()
}

fn number(x: usize) -> u32 {
    u32::try_from(x).expect("degrees to 6 have fewer than 2^32 terms")
}
