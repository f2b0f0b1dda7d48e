//! Whose turn it is: an endless sequence of sources in which each has its share of every beginning.
//!
//! Weights `w_j` are whole numbers with the sum `W`. After `k` turns source `j` has had `n_j(k)`, which
//! is `k * w_j / W` rounded down or up: every source is less than one turn from its share, always.
//! After `W` turns each has had exactly `w_j`, so one period is kept as a table, and `k / W` periods
//! are a multiplication: any turn is found in constant time, whatever `k`.
//!
//! **Rule.** The `i`-th turn of `j` (counted from 1) may be taken from turn `(i - 1) * W / w_j` on,
//! rounded down, and is due before turn `i * W / w_j`, rounded up. Of those that may be taken, the
//! first that is due is; of two, that of the source with the lower index. It is the largest deficit
//! counted in the time that it leaves; the largest deficit itself is up to 1.2 turns away from a share
//! of a dozen sources, and recursive halving several.
//!
//! **None is late.** Suppose that the turn due before `d` that `j` should have had is not taken. Let
//! `t` be the last moment before `d` at which nothing due by `d` was waiting, or 0. From `t` to `d`
//! only turns were taken that may be taken from `t` on and are due by `d`; a source has at most
//! `floor(d * w / W) - ceil(t * w / W) <= (d - t) * w / W` of these, all sources `d - t`. So there was
//! room for each of them. One may always be taken: before turn `k` those of `j` are
//! `floor(k * w_j / W) + 1`, in sum more than `k`. So after `k` turns `j` has had at least those due by
//! `k`, `floor(k * w_j / W)`, and at most those that may be taken before `k`, `ceil(k * w_j / W)`.
//!
//! # Source
//! Baruah, Cohen, Plaxton, Varvel, "Proportionate progress", Algorithmica 15 (1996), for the windows;
//! Tijdeman, "The chairman assignment problem", Discrete Math. 32 (1980), for what is possible.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Largest sum of weights without a common factor: a table of 2 MiB.
pub const MOST_PARTS: u64 = 1 << 20;
/// Most sources; an entry of the table holds an index and a bit.
pub const MOST_SOURCES: usize = 1 << 15;

/// One period of turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns {
    /// Without a common factor.
    weights: Vec<u64>,
    period: u64,
    /// `[period]` twice the index of the source, and 1 where its turns before are its share rounded up.
    table: Vec<u16>,
}

impl Turns {
    /// Turns by `weights`; a source of weight 0 has none. `None` for what has no table: no weight above 0,
    /// more than [`MOST_PARTS`] parts or [`MOST_SOURCES`] sources.
    pub fn new(weights: &[u64]) -> Option<Self> {
        let factor = weights.iter().fold(0, |a, &b| common_factor(a, b));
        if factor == 0 || weights.len() > MOST_SOURCES {
            return None;
        }
        let weights: Vec<u64> = weights.iter().map(|weight| weight / factor).collect();
        let period = weights.iter().try_fold(0u64, |sum, &weight| sum.checked_add(weight));
        let period = period.filter(|&period| period <= MOST_PARTS)?;
        Some(Self { table: table(&weights, period), weights, period })
    }

    /// Turns in a period.
    pub fn period(&self) -> u64 {
        self.period
    }

    /// Weights without a common factor.
    pub fn weights(&self) -> &[u64] {
        &self.weights
    }

    /// The source that has turn `k`, and how many it had before.
    pub fn at(&self, k: u64) -> (usize, u64) {
        let (periods, place) = (k / self.period, k % self.period);
        let entry = self.table[usize::try_from(place).expect("inside the table")];
        let (source, up) = (usize::from(entry / 2), u64::from(entry % 2));
        let weight = self.weights[source];
        (source, periods * weight + place * weight / self.period + up)
    }

    /// How many turns `source` has before turn `k`. Goes through the table.
    pub fn before(&self, source: usize, k: u64) -> u64 {
        let place = usize::try_from(k % self.period).expect("inside the table");
        let mine = self.table[..place].iter().filter(|&&it| usize::from(it / 2) == source).count();
        k / self.period * self.weights[source] + mine as u64
    }
}

fn table(weights: &[u64], period: u64) -> Vec<u16> {
    // Of every source the turn it has next, by when it may be taken, and of those by when they are due.
    let mut later: BinaryHeap<_> =
        (0..weights.len()).filter(|&j| weights[j] > 0).map(|j| Reverse((0u64, j))).collect();
    let mut open = BinaryHeap::new();
    let mut had = vec![0u64; weights.len()];
    let turn = |k: u64| {
        while let Some(Reverse((_, j))) = later.peek().filter(|next| next.0.0 <= k).copied() {
            later.pop();
            open.push(Reverse((((had[j] + 1) * period).div_ceil(weights[j]), j)));
        }
        let Reverse((_, j)) = open.pop().expect("some turn may always be taken");
        let up = had[j] - k * weights[j] / period;
        had[j] += 1;
        later.push(Reverse((had[j] * period / weights[j], j)));
        u16::try_from(2 * j as u64 + up).expect("as many sources as fit, and a bit")
    };
    (0..period).map(turn).collect()
}

/// The greatest one; of 0 and a number, the number.
pub(super) fn common_factor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_factor(b, a % b) }
}
