//! What happens to a block of scores between two products, a register of query rows at a time.
//!
//! ```text
//! layout    scores [keys, lanes], lanes being rows of queries; visible [lanes], keys each sees
//! forward   m' = max(m, max_j scale s[j]),  fade = exp(m - m'),  w[j] = exp(scale s[j] - m')
//!           total' = total fade + sum_j w[j]
//! backward  p[j] = exp(scale s[j] - lse),  ds[j] = p[j] (dp[j] - delta)
//! dtypes    f32 or f64; w, p and ds are packed as operands, which rounds them if products are
//!           mixed; totals take what was not rounded
//! source    the running maximum is that of Milakov and Gimelshein, arXiv:1805.02867
//! ```

use super::numerics::Numerics;
use super::panel::{Forms, Packer, Panel};
use super::segments::Stair;
use crate::cpu::{Arithmetic, Element, Job, Lanes, MOST_LANES, Set, functions::exp};

/// A block of scores and who sees which.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) stairs: &'a [Stair],
    /// Keys that each lane sees, counted from the first of the segment.
    pub(super) visible: &'a [u32],
    pub(super) first_key: usize,
    pub(super) lanes: usize,
}

/// The forward step: `scores` become weights, the statistics of the rows follow.
pub(super) struct Soften<'a, N: Numerics> {
    pub(super) seen: Seen<'a>,
    pub(super) scale: f64,
    pub(super) scores: &'a [N::Number],
    pub(super) largest: &'a mut [N::Number],
    pub(super) total: &'a mut [N::Number],
    pub(super) fade: &'a mut [N::Number],
    pub(super) weights: &'a mut Panel<N::Number>,
}

/// The backward step: scores become probabilities and gradients of scores.
pub(super) struct Differentiate<'a, N: Numerics> {
    pub(super) seen: Seen<'a>,
    pub(super) scale: f64,
    pub(super) scores: &'a [N::Number],
    /// Gradients of the probabilities.
    pub(super) slopes: &'a [N::Number],
    pub(super) log_sum_exp: &'a [N::Number],
    pub(super) delta: &'a [N::Number],
    pub(super) probabilities: &'a mut Panel<N::Number>,
    pub(super) score_slopes: &'a mut Panel<N::Number>,
}

type Sums<N, S> = <<N as Numerics>::On<S> as Arithmetic>::Sums;

/// The stairs of which something is seen, in registers: `(first lane, full, seen)`.
fn registers(stairs: &[Stair], width: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    stairs.iter().filter(|stair| stair.seen > 0).flat_map(move |stair| {
        let lanes = (stair.first_lane..stair.first_lane + stair.lanes).step_by(width);
        lanes.map(|lane| (lane, stair.full, stair.seen))
    })
}

impl Seen<'_> {
    /// Zero in the lanes that see the key of this row, minus infinity in the others.
    #[inline(always)]
    fn hidden<P: Lanes>(&self, row: usize, lane: usize) -> P {
        let mut terms = [P::Base::ZERO; MOST_LANES];
        let infinite = P::Base::of(f64::NEG_INFINITY);
        for (term, &visible) in terms.iter_mut().zip(&self.visible[lane..lane + P::LANES]) {
            *term =
                if (visible as usize) > self.first_key + row { P::Base::ZERO } else { infinite };
        }
        P::load(&terms[..P::LANES])
    }

    /// Scaled scores of a row.
    #[inline(always)]
    fn scaled<P: Lanes>(
        &self,
        scores: &[P::Base],
        scale: P,
        row: usize,
        lane: usize,
        full: usize,
    ) -> P {
        let at = row * self.lanes + lane;
        let score = P::load(&scores[at..at + P::LANES]).mul(scale);
        if row < full { score } else { score.add(self.hidden(row, lane)) }
    }
}

impl<N: Numerics> Job for Soften<'_, N> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let width = Sums::<N, S>::LANES;
        let scale = Sums::<N, S>::splat(N::Number::of(self.scale));
        let mut packer = Packer::<N::On<S>>::new(self.weights, Forms::Across);
        for (lane, full, seen) in registers(self.seen.stairs, width) {
            let score = |row| self.seen.scaled(self.scores, scale, row, lane, full);
            let lanes = lane..lane + width;
            let before = Sums::<N, S>::load(&self.largest[lanes.clone()]);
            let mut largest = before;
            for row in 0..seen {
                largest = largest.max(score(row));
            }
            let fade = exp(before.sub(largest));
            let mut total = Sums::<N, S>::zero();
            let depth = N::On::<S>::DEPTH;
            for row in (0..seen).step_by(depth) {
                let mut pair = [[N::Number::ZERO; MOST_LANES]; 2];
                let rows = depth.min(seen - row);
                for (row, numbers) in (row..row + rows).zip(&mut pair) {
                    let weight = exp(score(row).sub(largest));
                    total = total.add(weight);
                    weight.store(&mut numbers[..width]);
                }
                let second = if rows == 2 { &pair[1][..width] } else { &[] };
                packer.pack([row, lane], [&pair[0][..width], second]);
            }
            let earlier = Sums::<N, S>::load(&self.total[lanes.clone()]);
            earlier.mul_add(fade, total).store(&mut self.total[lanes.clone()]);
            largest.store(&mut self.largest[lanes.clone()]);
            fade.store(&mut self.fade[lanes]);
        }
    }
}

impl<N: Numerics> Job for Differentiate<'_, N> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let width = Sums::<N, S>::LANES;
        let depth = N::On::<S>::DEPTH;
        let scale = Sums::<N, S>::splat(N::Number::of(self.scale));
        let mut probabilities = Packer::<N::On<S>>::new(self.probabilities, Forms::Along);
        let mut score_slopes = Packer::<N::On<S>>::new(self.score_slopes, Forms::Both);
        for (lane, full, seen) in registers(self.seen.stairs, width) {
            let lse = Sums::<N, S>::load(&self.log_sum_exp[lane..lane + width]);
            let delta = Sums::<N, S>::load(&self.delta[lane..lane + width]);
            for row in (0..seen).step_by(depth) {
                let mut p = [[N::Number::ZERO; MOST_LANES]; 2];
                let mut ds = p;
                let rows = depth.min(seen - row);
                for at in 0..rows {
                    let row = row + at;
                    let score = self.seen.scaled(self.scores, scale, row, lane, full);
                    let probability = exp(score.sub(lse));
                    let slope = &self.slopes[row * self.seen.lanes + lane..][..width];
                    let slope = Sums::<N, S>::load(slope).sub(delta).mul(probability);
                    probability.store(&mut p[at][..width]);
                    slope.store(&mut ds[at][..width]);
                }
                let used = if rows == 2 { width } else { 0 };
                probabilities.pack([row, lane], [&p[0][..width], &p[1][..used]]);
                score_slopes.pack([row, lane], [&ds[0][..width], &ds[1][..used]]);
            }
        }
    }
}
