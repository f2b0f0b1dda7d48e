//! Some rows through all layers.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use std::ops::Range;

use super::block::{Input, Rows, activate, blocks_of};
use crate::cpu::matmul::Packed;
use crate::cpu::{Arithmetic, Full, Job, Plain, Round, Set};

/// The values and slopes of some rows.
pub(super) struct Part<'a, T> {
    pub(super) input: Input<'a, T>,
    pub(super) rows: Range<usize>,
    /// `[rows, I_D]` of values and of slopes.
    pub(super) halves: [&'a mut [T]; 2],
}

impl<T: Round + Plain> Job for Part<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let layers = self.input.network.num_layers();
        let packed = self.input.packed::<S>();
        let (mut x, mut u) = (Rows::new(), Rows::new());
        for block in blocks_of(self.rows.clone(), Full::<S, T>::ROWS) {
            for layer in 0..layers {
                self.input.step::<S>(&packed[layer], layer, &block, &x, &mut u);
                let shape = [block.len(), self.input.network.widths()[layer + 1]];
                activate::<T::Pack<S>>(u.all(), x.reshape(shape));
            }
            let width = self.input.network.widths()[layers];
            let first = (block.start - self.rows.start) * width;
            let (values, slopes) = x.all().split_at(block.len() * width);
            self.halves[0][first..][..values.len()].copy_from_slice(values);
            self.halves[1][first..][..slopes.len()].copy_from_slice(slopes);
        }
    }
}

impl<T: Round + Plain> Input<'_, T> {
    /// `u, t` of a layer.
    #[inline(always)]
    pub(super) fn step<S: Set>(
        &self,
        weight: &Packed<Full<S, T>>,
        layer: usize,
        block: &Range<usize>,
        x: &Rows<T>,
        u: &mut Rows<T>,
    ) {
        u.reshape([block.len(), self.network.widths()[layer + 1]]);
        for half in 0..2 {
            weight.multiply(self.left(layer, block, x, half), &mut u.target(half), false);
        }
    }
}
