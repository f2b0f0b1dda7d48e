//! Harmonics of a pack of edges contracted with the coefficients of all paths.

use super::super::plan::SparseRows;
use crate::cpu::{Element, Lanes, MOST_LANES};

/// Room for the pairs of one pack of edges, `[pairs, lanes]`, and its harmonics, `[M_y, lanes]`.
pub(super) struct Scratch<T> {
    pub(super) pairs: Vec<T>,
    harmonics: Vec<T>,
}

impl<T: Element> Scratch<T> {
    pub(super) fn new(num_pairs: usize, num_harmonics: usize) -> Self {
        Self {
            pairs: vec![T::ZERO; num_pairs * MOST_LANES],
            harmonics: vec![T::ZERO; num_harmonics * MOST_LANES],
        }
    }

    /// `pairs[p] = sum over the weights of row p of value * Y[edge, place]`, an edge per lane.
    #[inline(always)]
    pub(super) fn mix<P: Lanes<Base = T>>(
        &mut self,
        mix: &SparseRows,
        harmonics: &[T],
        num_harmonics: usize,
        edges: &[u32],
    ) {
        for (lane, &edge) in edges.iter().enumerate() {
            let of_edge = &harmonics[edge as usize * num_harmonics..][..num_harmonics];
            for (column, &value) in of_edge.iter().enumerate() {
                self.harmonics[column * P::LANES + lane] = value;
            }
        }
        for pair in 0..mix.len() {
            let mut sum = P::zero();
            for weight in mix.row(pair) {
                let harmonic =
                    P::load(&self.harmonics[weight.place as usize * P::LANES..][..P::LANES]);
                sum = harmonic.mul_add(P::splat(T::of(weight.value)), sum);
            }
            sum.store(&mut self.pairs[pair * P::LANES..][..P::LANES]);
        }
    }
}
