//! Where the rows of one segment and key head lie, and which keys a block of them sees.
//!
//! The queries of all R = H / G heads that share a key head are one list of rows: row `x` is
//! query `x / R` of head `x % R`. Rows side by side are the lanes of a register, so a group of
//! heads with few queries fills registers as well as one head with many.

use std::ops::Range;

use super::super::{AttentionProblem, Sizes};

/// Rows in a block of queries at most, counted in cache lines of numbers. Two strips of three
/// registers: the tile that loads least per multiplication, twice.
const MOST_UNITS: usize = 6;

/// Keys in a block: its scores with a block of queries stay in the first caches.
pub(super) const KEYS: usize = 64;

/// Numbers in a cache line, the width in which rows come. All instruction sets share it, so that
/// they share the layout of packed operands.
pub(super) const fn unit<T>() -> usize {
    64 / size_of::<T>()
}

/// `count` filled up to whole cache lines of numbers.
pub(super) fn whole_units<T>(count: usize) -> usize {
    count.next_multiple_of(unit::<T>())
}

/// The queries and keys of one segment and one key head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) first_query: usize,
    pub(super) first_key: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    pub(super) key_head: usize,
    /// Query heads of the key head.
    pub(super) sharing: usize,
    pub(super) causal: bool,
}

impl Segment {
    /// Every key head of every segment, in order.
    pub(super) fn all(problem: &AttentionProblem, sizes: Sizes) -> Vec<Self> {
        let starts = problem.query_starts.iter().zip(problem.key_starts.iter());
        let segments = starts.zip(problem.lengths());
        let heads = |((&first_query, &first_key), (queries, keys))| {
            (0..sizes.key_heads).map(move |key_head| Self {
                first_query: first_query as usize,
                first_key: first_key as usize,
                queries,
                keys,
                key_head,
                sharing: sizes.query_heads / sizes.key_heads,
                causal: problem.causal,
            })
        };
        segments.flat_map(heads).collect()
    }

    /// Rows of queries.
    pub(super) fn rows(&self) -> usize {
        self.queries * self.sharing
    }

    /// Keys that a row sees: the first ones of the segment.
    pub(super) fn visible(&self, row: usize) -> usize {
        if self.causal { self.keys - self.queries + row / self.sharing + 1 } else { self.keys }
    }

    /// The rows in blocks of about equal size, each whole cache lines but the last.
    pub(super) fn blocks<T>(&self) -> Vec<Range<usize>> {
        let units = self.rows().div_ceil(unit::<T>());
        let count = units.div_ceil(MOST_UNITS);
        let end = |block: usize| (block * units / count * unit::<T>()).min(self.rows());
        (0..count).map(|block| end(block)..end(block + 1)).collect()
    }

    /// Scores of a block of rows, as a measure of its work.
    pub(super) fn scores(&self, rows: &Range<usize>) -> usize {
        rows.len() * (self.visible(rows.start) + self.visible(rows.end - 1)) / 2
    }
}

/// Rows of queries that are computed together.
pub(super) struct QueryBlock {
    pub(super) rows: Range<usize>,
    /// The rows filled up to whole cache lines.
    pub(super) lanes: usize,
    /// Keys that each lane sees; those behind the last row see what it sees.
    pub(super) visible: Vec<u32>,
}

impl QueryBlock {
    pub(super) fn new<T>(segment: &Segment, rows: Range<usize>) -> Self {
        let lanes = whole_units::<T>(rows.len());
        let row = |lane: usize| (rows.start + lane).min(rows.end - 1);
        let visible = |lane| u32::try_from(segment.visible(row(lane))).expect("starts are u32");
        Self { lanes, visible: (0..lanes).map(visible).collect(), rows }
    }

    /// The blocks of keys within `keys` that some row sees, cut where every block of rows cuts
    /// them.
    pub(super) fn key_blocks(&self, keys: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let seen = self.visible.last().map_or(0, |&seen| seen as usize).min(keys.end);
        (keys.start..seen).step_by(KEYS).map(move |first| first..(first + KEYS).min(seen))
    }

    /// What every cache line of the rows sees of `keys`.
    pub(super) fn stairs<T>(&self, keys: &Range<usize>) -> Vec<Stair> {
        stairs::<T>(&self.visible, keys)
    }
}

/// The rows of one segment in a tensor `[N, H, D]`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    numbers: &'a [T],
    first: usize,
    step: usize,
    sharing: usize,
    width: usize,
}

impl<'a, T> Rows<'a, T> {
    /// The rows of the queries of `segment` in `numbers [N, H, D]`.
    pub(super) fn queries(numbers: &'a [T], segment: &Segment, sizes: Sizes) -> Self {
        let Sizes { query_heads, width, .. } = sizes;
        let Segment { first_query, key_head, sharing, .. } = *segment;
        let first = (first_query * query_heads + key_head * sharing) * width;
        Self { numbers, first, step: query_heads * width, sharing, width }
    }

    /// The rows of the keys of `segment` in `numbers [M, G, D]`.
    pub(super) fn keys(numbers: &'a [T], segment: &Segment, sizes: Sizes) -> Self {
        let Sizes { key_heads, width, .. } = sizes;
        let first = (segment.first_key * key_heads + segment.key_head) * width;
        Self { numbers, first, step: key_heads * width, sharing: 1, width }
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &'a [T] {
        &self.numbers[self.place(row)..][..self.width]
    }

    /// Where a row starts in the tensor.
    #[inline(always)]
    pub(super) fn place(&self, row: usize) -> usize {
        self.first + row / self.sharing * self.step + row % self.sharing * self.width
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The same rows where each has one number.
    pub(super) fn of_one<U>(&self, numbers: &'a [U]) -> Rows<'a, U> {
        let Self { first, step, sharing, width, .. } = *self;
        Rows { numbers, first: first / width, step: step / width, sharing, width: 1 }
    }
}

/// Which keys of a block are seen by a cache line of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stair {
    /// Lanes of the block of queries.
    pub(super) first_lane: usize,
    pub(super) lanes: usize,
    /// Keys that all lanes see.
    pub(super) full: usize,
    /// Keys that any lane sees; more keys are never looked at.
    pub(super) seen: usize,
}

/// What every cache line of the rows sees of `keys`; `visible` is that of every lane, rising.
fn stairs<T>(visible: &[u32], keys: &Range<usize>) -> Vec<Stair> {
    let of_block = |visible: u32| (visible as usize).clamp(keys.start, keys.end) - keys.start;
    let lines = visible.chunks(unit::<T>()).enumerate();
    lines
        .map(|(line, visible)| Stair {
            first_lane: line * unit::<T>(),
            lanes: visible.len(),
            full: of_block(visible[0]),
            seen: of_block(visible[visible.len() - 1]),
        })
        .collect()
}

/// Neighbouring stairs that see equally many keys as one, without those that see none.
pub(super) fn strips(stairs: &[Stair]) -> impl Iterator<Item = Stair> {
    let runs = stairs.chunk_by(|a, b| a.seen == b.seen);
    let joined = runs.map(|run| Stair {
        first_lane: run[0].first_lane,
        lanes: run.iter().map(|stair| stair.lanes).sum(),
        full: run[0].full,
        seen: run[0].seen,
    });
    joined.filter(|strip| strip.seen > 0)
}

/// Keys of a block with the first lane that sees them: `(keys, first lane)`, keys rising.
pub(super) fn landings(stairs: &[Stair]) -> impl Iterator<Item = (Range<usize>, usize)> {
    let mut from = 0;
    stairs.iter().filter_map(move |stair| {
        let keys = from..stair.seen;
        from = stair.seen;
        (!keys.is_empty()).then_some((keys, stair.first_lane))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(queries: usize, keys: usize, sharing: usize, causal: bool) -> Segment {
        Segment { first_query: 0, first_key: 0, queries, keys, key_head: 0, sharing, causal }
    }

    #[test]
    fn blocks_cover_the_rows_in_whole_cache_lines() {
        for queries in [1, 15, 16, 96, 97, 256, 1000] {
            let segment = segment(queries, queries, 1, false);
            let blocks = segment.blocks::<f32>();
            let mut at = 0;
            for block in &blocks {
                assert!(block.start == at && !block.is_empty() && block.len() <= 96);
                assert!(block.end % 16 == 0 || block.end == queries);
                at = block.end;
            }
            assert_eq!(at, queries);
        }
    }

    #[test]
    fn a_row_sees_its_own_position_and_everything_before_it() {
        let cached = segment(3, 5, 2, true);
        let visible: Vec<usize> = (0..6).map(|row| cached.visible(row)).collect();
        assert_eq!(visible, [3, 3, 4, 4, 5, 5]);
    }

    #[test]
    fn stairs_cut_a_block_of_keys_at_the_diagonal() {
        let visible: Vec<u32> = (1..=48).collect();
        let stairs = stairs::<f32>(&visible, &(16..40));
        let sizes: Vec<_> = stairs.iter().map(|stair| (stair.full, stair.seen)).collect();
        assert_eq!(sizes, [(0, 0), (1, 16), (17, 24)]);
        let strips: Vec<_> = strips(&stairs).map(|strip| (strip.first_lane, strip.seen)).collect();
        assert_eq!(strips, [(16, 16), (32, 24)]);
        assert_eq!(landings(&stairs).collect::<Vec<_>>(), [(0..16, 16), (16..24, 32)]);
    }

    #[test]
    fn without_a_diagonal_there_is_one_strip_and_one_landing() {
        let stairs = stairs::<f32>(&[100; 48], &(64..128));
        let strips: Vec<_> = strips(&stairs).collect();
        assert_eq!(strips, [Stair { first_lane: 0, lanes: 48, full: 36, seen: 36 }]);
        assert_eq!(landings(&stairs).collect::<Vec<_>>(), [(0..36, 0)]);
    }
}
