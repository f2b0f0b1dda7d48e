//! Cost of the contraction in nested form: a term costs a multiply-add where no other begins as it
//! does, and never less than the one with its coefficient.

use super::Terms;
use crate::Work;

/// Nodes, species, channels and bytes of an element.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// `N`.
    pub num_nodes: usize,
    /// `S`.
    pub num_species: usize,
    /// `C`.
    pub channels: usize,
    /// 4 or 8.
    pub element_bytes: usize,
}

/// `P`: a multiply-add a term, and one for every factor that others follow; reads x and K, writes P.
pub fn forward(terms: &Terms, extent: Extent) -> Work {
    let rows = extent.num_nodes * (terms.num_inputs + terms.num_outputs);
    work(2 * (num_leaves(terms) + num_branches(terms)), rows, terms, extent)
}

/// `dx`: the forward again and as much for the gradients, and a product for every factor that others
/// follow; reads g, x and K, writes dx.
pub fn input(terms: &Terms, extent: Extent) -> Work {
    let flops = 4 * num_leaves(terms) + 5 * num_branches(terms);
    let rows = extent.num_nodes * (2 * terms.num_inputs + terms.num_outputs);
    work(flops, rows, terms, extent)
}

/// `dK`: a multiply-add a term and a product for every factor that others follow; reads g and x,
/// writes dK.
pub fn coefficients(terms: &Terms, extent: Extent) -> Work {
    let flops = 2 * terms.list.len() + num_branches(terms);
    let rows = extent.num_nodes * (terms.num_inputs + terms.num_outputs);
    work(flops, rows, terms, extent)
}

/// Along a direction: every multiply-add is one of values and two of changes, and x has a change.
pub fn moving(work: Work) -> Work {
    Work { flops: 3.0 * work.flops, bytes: work.bytes }
}

/// Third factors.
fn num_leaves(terms: &Terms) -> usize {
    terms.tree.triples.len()
}

/// First and second factors.
fn num_branches(terms: &Terms) -> usize {
    terms.tree.leads.len() + terms.tree.pairs.len()
}

fn work(flops: usize, rows: usize, terms: &Terms, extent: Extent) -> Work {
    let elements = (rows + extent.num_species * terms.list.len()) * extent.channels;
    let flops = (flops * extent.num_nodes * extent.channels) as f64;
    Work::new(flops, elements as f64, extent.element_bytes)
}
