//! Which rank holds which part of gradients, moments and averages.
//!
//! Neighbouring parameters make *buckets*, which ranks exchange at once. Whole, every rank holds all of them.
//! Cut, each bucket is laid end to end and divided into one stretch a rank, equally long but for the last:
//!
//! ```text
//! bucket    |-- wq ----------|-- wk ----------|- norm -|
//! rank      |0         |1         |2         |3     |
//! ```
//!
//! A rank's stretch of a bucket is pieces of one or more parameters. Not here: numbers (`reduction`), and
//! files, which say themselves what they hold (`checkpoint`).

use std::ops::Range;

use genesis_model::ParamSpec;

use crate::checkpoint::stretch::Stretch;

/// Values of a parameter, in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Which, in the order of the specs.
    pub(crate) param: usize,
    /// Which of its values.
    pub(crate) range: Range<usize>,
}

impl Piece {
    /// Its place in a file that calls the parameter by its name with `prefix` in front.
    pub(super) fn stored_as(&self, prefix: &str, specs: &[ParamSpec]) -> Stretch {
        let spec = &specs[self.param];
        let (tensor, shape) = (format!("{prefix}{}", spec.name), spec.shape.clone());
        Stretch { tensor, shape, range: self.range.clone() }
    }
}

/// Parameters that are exchanged at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) params: Range<usize>,
    /// Values in all of them.
    pub(super) length: usize,
}

/// The parts of all ranks.
#[derive(Debug, Clone)]
pub(super) struct Shards {
    lengths: Vec<usize>,
    buckets: Vec<Bucket>,
    /// Ranks that a bucket is divided among; 1 where each holds all.
    cut: usize,
    rank: usize,
}

impl Shards {
    /// Parameters of `lengths` in buckets of at most `most` values; a larger one has a bucket of its own. Each
    /// bucket is divided among `cut` ranks, of which this is number `rank`.
    pub(super) fn new(lengths: Vec<usize>, most: usize, cut: usize, rank: usize) -> Self {
        let mut buckets: Vec<Bucket> = Vec::new();
        for (at, &length) in lengths.iter().enumerate() {
            match buckets.last_mut().filter(|open| open.length + length <= most) {
                Some(open) => {
                    open.params.end = at + 1;
                    open.length += length;
                }
                None => buckets.push(Bucket { params: at..at + 1, length }),
            }
        }
        Self { lengths, buckets, cut, rank }
    }

    /// Whether a rank holds a part only.
    pub(super) fn are_cut(&self) -> bool {
        self.cut > 1
    }

    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    pub(super) fn num_params(&self) -> usize {
        self.lengths.len()
    }

    /// Values of a parameter.
    pub(super) fn length(&self, param: usize) -> usize {
        self.lengths[param]
    }

    /// Values of a rank's stretch of `bucket`; the last stretches may have fewer, or none.
    pub(super) fn stretch(&self, bucket: &Bucket) -> usize {
        bucket.length.div_ceil(self.cut)
    }

    /// What this rank holds of `bucket`, in order.
    pub(super) fn held_of(&self, bucket: &Bucket) -> Vec<Piece> {
        let stretch = self.stretch(bucket);
        let mine = self.rank * stretch..((self.rank + 1) * stretch).min(bucket.length);
        let mine = if self.are_cut() { mine } else { 0..bucket.length };
        let mut first = 0;
        let mut pieces = Vec::new();
        for param in bucket.params.clone() {
            let length = self.lengths[param];
            let range = mine.start.max(first)..mine.end.min(first + length);
            // A parameter without values is held by all: nothing of it is exchanged.
            if range.start < range.end || (length == 0 && !self.are_cut()) {
                pieces.push(Piece { param, range: range.start - first..range.end - first });
            }
            first += length;
        }
        pieces
    }

    /// What this rank holds, bucket by bucket.
    pub(super) fn held(&self) -> Vec<Piece> {
        self.buckets.iter().flat_map(|bucket| self.held_of(bucket)).collect()
    }

    /// How many values this rank holds.
    pub(super) fn num_held(&self) -> usize {
        self.held().iter().map(|piece| piece.range.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(lengths: &[usize], most: usize, cut: usize, rank: usize) -> Shards {
        Shards::new(lengths.to_vec(), most, cut, rank)
    }

    #[test]
    fn neighbours_share_a_bucket_and_a_large_parameter_has_its_own() {
        let found = shards(&[3, 4, 100, 2, 2, 6], 10, 1, 0);
        let params: Vec<_> = found.buckets().iter().map(|it| it.params.clone()).collect();
        assert_eq!(params, [0..2, 2..3, 3..6]);
        let lengths: Vec<_> = found.buckets().iter().map(|it| it.length).collect();
        assert_eq!(lengths, [7, 100, 10]);
        assert!(shards(&[], 10, 4, 0).buckets().is_empty());
    }

    #[test]
    fn whole_parameters_are_held_by_all() {
        for rank in 0..3 {
            let held = shards(&[3, 0, 5], 10, 1, rank).held();
            let whole = [0..3, 0..0, 0..5];
            let ranges: Vec<_> = held.iter().map(|piece| piece.range.clone()).collect();
            assert_eq!(ranges, whole);
        }
    }

    #[test]
    fn every_value_is_held_by_one_rank_whatever_the_lengths() {
        for lengths in [&[7, 1, 12, 3][..], &[1], &[2, 2, 2], &[1000, 1, 1, 37], &[5, 0, 3]] {
            for (most, cut) in [(1, 2), (8, 2), (8, 3), (8, 4), (10_000, 7), (10_000, 1)] {
                let mut held: Vec<Vec<usize>> = lengths.iter().map(|&n| vec![0; n]).collect();
                for rank in 0..cut {
                    let mine = shards(lengths, most, cut, rank);
                    let largest = mine.buckets().iter().map(|it| mine.stretch(it)).sum::<usize>();
                    assert!(mine.num_held() <= largest, "no rank holds more than its stretches");
                    for Piece { param, range } in mine.held() {
                        held[param][range].iter_mut().for_each(|times| *times += 1);
                    }
                }
                assert!(held.iter().flatten().all(|times| *times == 1), "{lengths:?} {cut}");
            }
        }
    }
}
