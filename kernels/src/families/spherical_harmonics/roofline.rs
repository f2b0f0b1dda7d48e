//! Cost of the harmonics: memory bound.

use super::recursion::steps;
use crate::Work;

/// Normalisation (9), then a product and a multiply-add per step; reads v, writes Y.
pub fn forward(edges: usize, max_degree: usize, element_bytes: usize) -> Work {
    let columns = (max_degree + 1) * (max_degree + 1);
    let flops = 9 + 3 * num_steps(max_degree);
    Work::new((edges * flops) as f64, (edges * (3 + columns)) as f64, element_bytes)
}

/// The forward again, two products with two multiply-adds per step, the projection (12); reads
/// v and g, writes dv.
pub fn backward(edges: usize, max_degree: usize, element_bytes: usize) -> Work {
    let columns = (max_degree + 1) * (max_degree + 1);
    let flops = 9 + 3 * num_steps(max_degree) + 6 * num_steps(max_degree) + 12;
    Work::new((edges * flops) as f64, (edges * (6 + columns)) as f64, element_bytes)
}

fn num_steps(max_degree: usize) -> usize {
    (1..=max_degree).map(|degree| steps(degree).len()).sum()
}
