//! A row of logits: its log-sum-exp, its loss, and its gradient in place.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::functions::exp;
use crate::cpu::{Element, Job, Lanes, MOST_LANES, Set, rows_per_block, run};

/// Calls `of(row, label, lse)` for every row of `width` logits, on threads where there are many;
/// the results come in the order of the rows.
pub(super) fn for_rows_of<T: Element>(
    logits: &mut [T],
    width: usize,
    labels: &[usize],
    lses: &mut [T],
    of: impl Fn(&mut [T], usize, &mut T) -> f64 + Sync,
) -> Vec<f64> {
    let block = rows_per_block(width);
    let blocks = logits.par_chunks_mut((block * width).max(1));
    let blocks = blocks.zip(labels.par_chunks(block)).zip(lses.par_chunks_mut(block));
    let of_block = |((logits, labels), lses): ((&mut [T], &[usize]), &mut [T])| {
        let rows = logits.chunks_exact_mut(width.max(1)).zip(labels).zip(lses);
        rows.map(|((row, &label), lse)| of(row, label, lse)).collect::<Vec<_>>()
    };
    blocks.flat_map_iter(of_block).collect()
}

/// One row.
pub(super) struct Row<'a, T> {
    pub(super) numbers: &'a mut [T],
    pub(super) label: usize,
    /// Whether the logits shall become their gradients.
    pub(super) gradient: bool,
    pub(super) log_sum_exp: &'a mut T,
}

impl<T: Element> Row<'_, T> {
    /// Its loss.
    pub(super) fn run(self) -> f64 {
        let mut loss = 0.0;
        run(Softmax { row: self, loss: &mut loss });
        loss
    }
}

struct Softmax<'a, T> {
    row: Row<'a, T>,
    loss: &'a mut f64,
}

impl<T: Element> Job for Softmax<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let Row { numbers, label, gradient, log_sum_exp } = self.row;
        let chosen = numbers[label];
        let largest = largest::<T::Pack<S>>(numbers);
        let shift = T::Pack::<S>::splat(largest);
        let mut sum = T::Pack::<S>::zero();
        for at in packs(numbers.len(), T::Pack::<S>::LANES) {
            let count = at.len();
            let term = exp(T::Pack::<S>::load(&numbers[at.clone()]).sub(shift));
            if gradient {
                term.store(&mut numbers[at]);
            }
            sum = sum.add(only(term, count));
        }
        let sum = sum.sum();
        *log_sum_exp = largest + sum.logarithm();
        *self.loss = (*log_sum_exp - chosen).elem();
        if gradient {
            let share = T::Pack::<S>::splat(T::ONE / sum);
            for at in packs(numbers.len(), T::Pack::<S>::LANES) {
                let term = T::Pack::<S>::load(&numbers[at.clone()]).mul(share);
                term.store(&mut numbers[at]);
            }
            numbers[label] = numbers[label] - T::ONE;
        }
    }
}

/// Places of a row, a register at a time.
#[inline(always)]
fn packs(width: usize, lanes: usize) -> impl Iterator<Item = Range<usize>> {
    (0..width).step_by(lanes).map(move |start| start..width.min(start + lanes))
}

/// The first lanes, zero behind.
#[inline(always)]
fn only<P: Lanes>(x: P, count: usize) -> P {
    if count == P::LANES {
        return x;
    }
    let mut lanes = [P::Base::ZERO; MOST_LANES];
    x.store(&mut lanes[..count]);
    P::load(&lanes[..P::LANES])
}

/// The largest number of a row; which one is open where some are NaN.
#[inline(always)]
fn largest<P: Lanes>(numbers: &[P::Base]) -> P::Base {
    let mut most = P::splat(numbers[0]);
    let mut whole = numbers.chunks_exact(P::LANES);
    for pack in &mut whole {
        most = most.max(P::load(pack));
    }
    let mut lanes = [numbers[0]; MOST_LANES];
    most.store(&mut lanes[..P::LANES]);
    let rest = whole.remainder().iter().chain(&lanes[..P::LANES]);
    rest.fold(numbers[0], |most, &x| if x > most { x } else { most })
}
