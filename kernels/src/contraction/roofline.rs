//! Cost of the contraction. Terms of order k cost k - 1 products and one multiply-add.

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

/// `P`: reads x and K, writes P.
pub fn forward(terms: &Terms, extent: Extent) -> Work {
    let flops: usize = terms.list.iter().map(|term| usize::from(term.order) + 1).sum();
    let rows = extent.num_nodes * (terms.num_inputs + terms.num_outputs);
    work(flops, rows, terms, extent)
}

/// `dx`: the weight of the term, then one product of the other factors and one multiply-add for
/// each factor; reads g, x and K, writes dx.
pub fn input(terms: &Terms, extent: Extent) -> Work {
    let term = |order: usize| 1 + order * order;
    let flops: usize = terms.list.iter().map(|t| term(usize::from(t.order))).sum();
    let rows = extent.num_nodes * (2 * terms.num_inputs + terms.num_outputs);
    work(flops, rows, terms, extent)
}

/// `dK`: as the forward; reads g and x, writes dK.
pub fn coefficients(terms: &Terms, extent: Extent) -> Work {
    forward(terms, extent)
}

fn work(flops: usize, rows: usize, terms: &Terms, extent: Extent) -> Work {
    let elements = (rows + extent.num_species * terms.list.len()) * extent.channels;
    let flops = (flops * extent.num_nodes * extent.channels) as f64;
    Work::new(flops, elements as f64, extent.element_bytes)
}
