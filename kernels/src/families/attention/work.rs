//! Which block of threads computes which rows: a list of the blocks of rows of every segment.
//!
//! A grid over (longest segment, segments) would be mostly empty where lengths differ; the list holds
//! what there is, the blocks with the most scores first, so that no long one begins last.

use std::cmp::Reverse;

use super::AttentionProblem;

/// Whose rows are cut into blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    Queries,
    Keys,
}

/// Numbers of an item, as the kernels read them.
pub(super) const ITEM: usize = 5;

/// First query, queries, first key, keys, block; one after the other.
pub(super) fn items(problem: &AttentionProblem, of: Of, rows_per_block: usize) -> Vec<u32> {
    let starts = problem.query_starts.iter().zip(problem.key_starts.iter());
    let mut items = vec![];
    for ((&first_query, &first_key), (queries, keys)) in starts.zip(problem.lengths()) {
        let rows = if of == Of::Queries { queries } else { keys };
        for block in 0..rows.div_ceil(rows_per_block) {
            let first = block * rows_per_block;
            let last = rows.min(first + rows_per_block) - 1;
            let scores =
                (last + 1 - first) * seen(problem.causal, of, [queries, keys], [first, last]);
            let numbers = [queries, keys, block].map(|x| u32::try_from(x).unwrap_or(u32::MAX));
            items.push((scores, [first_query, numbers[0], first_key, numbers[1], numbers[2]]));
        }
    }
    // Stable: blocks of one segment stay together, and with them their keys in the cache.
    items.sort_by_key(|&(scores, _)| Reverse(scores));
    items.into_iter().flat_map(|(_, item)| item).collect()
}

/// Rows on the other side that a block of rows meets.
fn seen(causal: bool, of: Of, [queries, keys]: [usize; 2], [first, last]: [usize; 2]) -> usize {
    match (of, causal) {
        (Of::Queries, false) => keys,
        (Of::Queries, true) => keys - queries + last + 1,
        (Of::Keys, false) => queries,
        (Of::Keys, true) => queries - first.saturating_sub(keys - queries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;

    fn blocks(problem: &AttentionProblem, of: Of, rows: usize) -> Vec<[u32; 5]> {
        let items = items(problem, of, rows);
        items.chunks_exact(ITEM).map(|item| item.try_into().expect("five numbers")).collect()
    }

    #[test]
    fn every_row_is_in_one_block_and_no_block_is_empty() {
        let problem = AttentionProblem::packed(&[0, 3, 4, 12], true, 1.0, Precision::Full);
        for of in [Of::Queries, Of::Keys] {
            let mut rows = vec![0; 12];
            for [first, count, _, _, block] in blocks(&problem, of, 4) {
                let block_rows = 4 * block..count.min(4 * (block + 1));
                assert!(!block_rows.is_empty());
                block_rows.for_each(|row| rows[(first + row) as usize] += 1);
            }
            assert_eq!(rows, [1; 12]);
        }
    }

    #[test]
    fn blocks_with_the_most_scores_come_first() {
        let causal = AttentionProblem::packed(&[0, 2, 10], true, 1.0, Precision::Full);
        let order =
            |of| blocks(&causal, of, 4).iter().map(|item| [item[0], item[4]]).collect::<Vec<_>>();
        // The last queries see the most keys, the first keys are seen by the most queries.
        assert_eq!(order(Of::Queries), [[2, 1], [2, 0], [0, 0]]);
        assert_eq!(order(Of::Keys), [[2, 0], [2, 1], [0, 0]]);
    }

    #[test]
    fn keys_before_the_queries_are_seen_by_all_of_them() {
        let cached = AttentionProblem {
            query_starts: [0, 2].into(),
            key_starts: [0, 6].into(),
            ..AttentionProblem::packed(&[0, 2], true, 1.0, Precision::Full)
        };
        assert_eq!(blocks(&cached, Of::Keys, 3), [[0, 2, 0, 6, 0], [0, 2, 0, 6, 1]]);
        assert_eq!(seen(true, Of::Keys, [2, 6], [5, 5]), 1);
        assert_eq!(seen(true, Of::Queries, [2, 6], [0, 0]), 5);
    }
}
