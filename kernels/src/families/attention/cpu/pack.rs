//! Rows of tensors as operands, and blocks with rows of queries as lanes back to rows.

use std::ops::Range;

use super::numerics::Numerics;
use super::panel::{Forms, Packer, Panel};
use super::segments::{Rows, unit};
use crate::cpu::{Arithmetic, Element, Job, Lanes, Set};

/// Rows of a tensor become rows of a panel.
pub(super) struct PackRows<'a, N: Numerics> {
    pub(super) source: Rows<'a, N::Number>,
    pub(super) rows: Range<usize>,
    pub(super) panel: &'a mut Panel<N::Number>,
    pub(super) forms: Forms,
}

impl<N: Numerics> Job for PackRows<'_, N> {
    #[inline(always)]
    fn run<S: Set>(self) {
        self.panel.resize(self.rows.len(), self.source.width());
        let mut packer = Packer::<N::On<S>>::new(self.panel, self.forms);
        for row in self.rows.clone().step_by(N::On::<S>::DEPTH) {
            let second = if row + 1 < self.rows.end { self.source.row(row + 1) } else { &[] };
            packer.pack([row - self.rows.start, 0], [self.source.row(row), second]);
        }
    }
}

/// Rows of a tensor become columns of a panel that is read across; `turned` is memory for them.
/// Columns up to whole cache lines are zero.
pub(super) struct PackTurned<'a, N: Numerics> {
    pub(super) source: Rows<'a, N::Number>,
    pub(super) rows: Range<usize>,
    pub(super) lanes: usize,
    pub(super) panel: &'a mut Panel<N::Number>,
    pub(super) turned: &'a mut [N::Number],
}

impl<N: Numerics> Job for PackTurned<'_, N> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let (width, lanes) = (self.source.width(), self.lanes);
        turn(self.source, &self.rows, lanes, self.turned);
        self.panel.resize(width, lanes);
        let mut packer = Packer::<N::On<S>>::new(self.panel, Forms::Across);
        let row = |at: usize| {
            if at < width { &self.turned[at * lanes..][..lanes] } else { &[][..] }
        };
        for at in (0..width).step_by(N::On::<S>::DEPTH) {
            packer.pack([at, 0], [row(at), row(at + 1)]);
        }
    }
}

/// `turned [D, lanes]` from rows of D numbers, zero in the lanes behind the last row.
#[inline(always)]
fn turn<T: Element>(source: Rows<'_, T>, rows: &Range<usize>, lanes: usize, turned: &mut [T]) {
    for lane in (0..lanes).step_by(unit::<T>()) {
        let first = rows.start + lane;
        for (at, row) in (first..first + unit::<T>()).enumerate() {
            let column = turned[lane + at..].iter_mut().step_by(lanes);
            if row < rows.end {
                column.zip(source.row(row)).for_each(|(to, &number)| *to = number);
            } else {
                column.take(source.width()).for_each(|to| *to = T::ZERO);
            }
        }
    }
}

/// Rows `[lanes, D]` from a block `[D, lanes]`, each times its factor.
pub(super) fn turn_back<T: Element>(block: &[T], lanes: usize, factors: &[T], rows: &mut [T]) {
    let width = rows.len() / lanes;
    for ((lane, row), &factor) in rows.chunks_exact_mut(width).enumerate().zip(factors) {
        for (number, &from) in row.iter_mut().zip(block[lane..].iter().step_by(lanes)) {
            *number = from * factor;
        }
    }
}

/// `dots[x] = grad[x] . output[x]`, zero behind the last row.
pub(super) struct Delta<'a, N: Numerics> {
    pub(super) grad: Rows<'a, N::Number>,
    pub(super) output: Rows<'a, N::Number>,
    pub(super) rows: Range<usize>,
    pub(super) dots: &'a mut [N::Number],
}

impl<N: Numerics> Job for Delta<'_, N> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let (used, rest) = self.dots.split_at_mut(self.rows.len());
        for (sum, row) in used.iter_mut().zip(self.rows) {
            *sum = dot::<<N::On<S> as Arithmetic>::Sums>(self.grad.row(row), self.output.row(row));
        }
        rest.fill(N::Number::ZERO);
    }
}

/// Sum of products, lane by lane, then over the lanes.
#[inline(always)]
fn dot<P: Lanes>(a: &[P::Base], b: &[P::Base]) -> P::Base {
    let pairs = a.chunks(P::LANES).zip(b.chunks(P::LANES));
    pairs.fold(P::zero(), |sum, (a, b)| P::load(a).mul_add(P::load(b), sum)).sum()
}
