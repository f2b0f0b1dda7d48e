//! A block of rows on its way through the layers.

use std::ops::Range;

use super::super::SiluNetwork;
use crate::cpu::functions::logistic;
use crate::cpu::matmul::{Matrix, Packed, Target};
use crate::cpu::{Element, Full, Lanes, Plain, Round, Scratch, Set};

/// Tiles of rows of values in a block, and as many of slopes.
const TILES: usize = 4;

/// Everything a call reads.
#[derive(Clone, Copy)]
pub(super) struct Input<'a, T> {
    pub(super) network: &'a SiluNetwork,
    /// `[2, P, I_0]`
    pub(super) curve: &'a [T],
    /// P
    pub(super) num_rows: usize,
    /// Times their factors.
    pub(super) weights: &'a [T],
}

impl<'a, T: Round + Plain> Input<'a, T> {
    /// The weight of a layer, `[I, O]`.
    #[inline(always)]
    pub(super) fn weight(&self, layer: usize) -> Matrix<'a, T> {
        let numbers = &self.weights[self.network.range_of(layer)];
        Matrix::new(numbers, self.network.shape_of(layer))
    }

    /// The weights of all layers, packed to be multiplied by.
    #[inline(always)]
    pub(super) fn packed<S: Set>(&self) -> Vec<Packed<Full<S, T>>> {
        let mut all = Vec::with_capacity(self.network.num_layers());
        for layer in 0..self.network.num_layers() {
            all.push(Packed::new(self.weight(layer)));
        }
        all
    }

    /// Some rows of a half of a curve `[2, P, width]`.
    #[inline(always)]
    pub(super) fn rows_of(
        &self,
        curve: &'a [T],
        width: usize,
        half: usize,
        rows: &Range<usize>,
    ) -> &'a [T] {
        let first = half * self.num_rows;
        &curve[(first + rows.start) * width..(first + rows.end) * width]
    }

    /// What a layer multiplies: the curve at the first, activations `x` at the others.
    #[inline(always)]
    pub(super) fn left(
        &self,
        layer: usize,
        block: &Range<usize>,
        x: &'a Rows<T>,
        half: usize,
    ) -> Matrix<'a, T> {
        if layer > 0 {
            return x.half(half);
        }
        let width = self.network.widths()[0];
        let numbers = self.rows_of(self.curve, width, half, block);
        Matrix::new(numbers, [block.len(), width])
    }
}

/// The blocks of some rows, in tiles of the product where they are not the last.
#[inline(always)]
pub(super) fn blocks_of(
    rows: Range<usize>,
    tile_rows: usize,
) -> impl Iterator<Item = Range<usize>> {
    let size = TILES * tile_rows;
    rows.clone().step_by(size).map(move |start| start..rows.end.min(start + size))
}

/// Values and slopes of a block at one layer: `[rows, width]` each.
pub(super) struct Rows<T> {
    numbers: Scratch<T>,
    shape: [usize; 2],
}

impl<T: Element + Plain> Rows<T> {
    pub(super) fn new() -> Self {
        Self { numbers: Scratch::take(), shape: [0, 0] }
    }

    /// Room for another shape, of any numbers.
    #[inline(always)]
    pub(super) fn reshape(&mut self, shape: [usize; 2]) -> &mut [T] {
        self.shape = shape;
        self.numbers.room(2 * shape[0] * shape[1])
    }

    #[inline(always)]
    pub(super) fn all(&self) -> &[T] {
        &self.numbers.numbers()[..2 * self.shape[0] * self.shape[1]]
    }

    #[inline(always)]
    pub(super) fn all_mut(&mut self) -> &mut [T] {
        self.reshape(self.shape)
    }

    #[inline(always)]
    pub(super) fn half(&self, half: usize) -> Matrix<'_, T> {
        let size = self.shape[0] * self.shape[1];
        Matrix::new(&self.all()[half * size..(half + 1) * size], self.shape)
    }

    /// Where a product of this shape may write a half.
    #[inline(always)]
    pub(super) fn target(&mut self, half: usize) -> Target<'_, T> {
        let (shape, size) = (self.shape, self.shape[0] * self.shape[1]);
        let numbers = &mut self.numbers.room(2 * size)[half * size..(half + 1) * size];
        Target::new(numbers, shape, shape[1])
    }
}

/// `silu(u)` and `silu'(u) t` of `u, t`, side by side in both.
#[inline(always)]
pub(super) fn activate<P: Lanes>(from: &[P::Base], to: &mut [P::Base]) {
    let size = from.len() / 2;
    let ((u, t), (value, slope)) = (from.split_at(size), to.split_at_mut(size));
    for start in (0..size).step_by(P::LANES) {
        let at = start..size.min(start + P::LANES);
        let (u, t) = (P::load(&u[at.clone()]), P::load(&t[at.clone()]));
        let open = logistic(u);
        let silu = open.mul(u);
        silu.store(&mut value[at.clone()]);
        rise(open, silu).mul(t).store(&mut slope[at]);
    }
}

/// The gradient of `u, t` in place of that of their activations.
#[inline(always)]
pub(super) fn deactivate<P: Lanes>(from: &[P::Base], grad: &mut [P::Base]) {
    let size = from.len() / 2;
    let ((u, t), (of_value, of_slope)) = (from.split_at(size), grad.split_at_mut(size));
    for start in (0..size).step_by(P::LANES) {
        let at = start..size.min(start + P::LANES);
        let (u, t) = (P::load(&u[at.clone()]), P::load(&t[at.clone()]));
        let (value, slope) = (P::load(&of_value[at.clone()]), P::load(&of_slope[at.clone()]));
        let open = logistic(u);
        let first = rise(open, open.mul(u));
        let bend = slope.mul(t).mul(turn(open, u));
        value.mul_add(first, bend).store(&mut of_value[at.clone()]);
        slope.mul(first).store(&mut of_slope[at]);
    }
}

/// `silu'`, of the logistic function and `silu`.
#[inline(always)]
fn rise<P: Lanes>(open: P, silu: P) -> P {
    silu.mul_add(P::of(1.0).sub(open), open)
}

/// `silu''`, of the logistic function and its argument.
#[inline(always)]
fn turn<P: Lanes>(open: P, u: P) -> P {
    let rest = P::of(1.0).sub(open.add(open));
    u.mul_add(rest, P::of(2.0)).mul(open.mul(P::of(1.0).sub(open)))
}
