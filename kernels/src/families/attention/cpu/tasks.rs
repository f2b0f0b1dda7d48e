//! Divides the segments among threads.
//!
//! A task is independent of all others and computes the same bits wherever it is cut, so cutting
//! may follow the number of threads. The heaviest tasks start first; a thread that is done takes
//! the next.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::segments::{KEYS, Segment};

/// Tasks that a thread should find at least, so that the last ones end together.
const TASKS_PER_THREAD: usize = 4;

/// Scores below which handing work to other threads costs more than it saves.
const FEW_SCORES: usize = 2048;

/// What a task computes of its segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Everything that belongs to these blocks of queries alone: outputs, or their gradients.
    Queries(Range<usize>),
    /// The gradients of these keys and their values.
    Keys(Range<usize>),
    /// The gradients of everything.
    All,
}

/// Something to compute.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) segment: Segment,
    pub(super) part: Part,
    work: usize,
}

/// The outputs of all segments.
pub(super) fn forward_tasks<T>(segments: &[Segment], threads: usize) -> Vec<Task> {
    let total: usize = segments.iter().map(work_of::<T>).sum();
    let fair = total.div_ceil(threads * TASKS_PER_THREAD);
    let cut = |segment: &Segment| query_tasks::<T>(segment, fair, 1);
    heaviest_first(segments.iter().flat_map(cut).collect())
}

/// The gradients of all segments. Gradients of queries apart from those of keys take seven
/// products instead of five, so a segment is cut only where the threads would wait longer for it.
pub(super) fn backward_tasks<T>(segments: &[Segment], threads: usize) -> Vec<Task> {
    let whole: Vec<Task> = segments
        .iter()
        .map(|segment| Task { segment: *segment, part: Part::All, work: 5 * work_of::<T>(segment) })
        .collect();
    let whole = heaviest_first(whole);
    let total: usize = whole.iter().map(|task| task.work).sum();
    if 5 * longest_thread(&whole, threads) * threads <= 7 * total {
        return whole;
    }
    let fair = total.div_ceil(threads * TASKS_PER_THREAD);
    let cut = |task: Task| {
        if task.work <= fair {
            return vec![task];
        }
        let mut parts = query_tasks::<T>(&task.segment, fair, 3);
        parts.extend(key_tasks(&task.segment, fair));
        parts
    };
    heaviest_first(whole.into_iter().flat_map(cut).collect())
}

/// Calls `compute` for every task, in parallel where that pays.
pub(super) fn for_tasks(tasks: &[Task], compute: impl Fn(&Task) + Sync) {
    let work: usize = tasks.iter().map(|task| task.work).sum();
    let threads = rayon::current_num_threads().min(tasks.len());
    if threads < 2 || work < FEW_SCORES {
        return tasks.iter().for_each(compute);
    }
    let next = AtomicUsize::new(0);
    (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            compute(task);
        }
    });
}

fn work_of<T>(segment: &Segment) -> usize {
    segment.blocks::<T>().iter().map(|rows| segment.scores(rows)).sum()
}

/// Consecutive blocks of queries of about `fair` work together.
fn query_tasks<T>(segment: &Segment, fair: usize, products: usize) -> Vec<Task> {
    let blocks = segment.blocks::<T>();
    let mut tasks: Vec<Task> = vec![];
    let (mut from, mut work) = (0, 0);
    for (block, rows) in blocks.iter().enumerate() {
        work += products * segment.scores(rows);
        if work >= fair || block + 1 == blocks.len() {
            tasks.push(Task { segment: *segment, part: Part::Queries(from..block + 1), work });
            (from, work) = (block + 1, 0);
        }
    }
    tasks
}

/// Consecutive blocks of keys of about `fair` work together.
fn key_tasks(segment: &Segment, fair: usize) -> Vec<Task> {
    let hidden = |key: usize| {
        let earlier = segment.keys - segment.queries.min(segment.keys);
        if segment.causal { key.saturating_sub(earlier) } else { 0 }
    };
    let mut tasks: Vec<Task> = vec![];
    let (mut from, mut work) = (0, 0);
    for start in (0..segment.keys).step_by(KEYS) {
        let end = (start + KEYS).min(segment.keys);
        let rows = segment.rows() - hidden(start) * segment.sharing;
        work += 4 * rows * (end - start);
        if work >= fair || end == segment.keys {
            tasks.push(Task { segment: *segment, part: Part::Keys(from..end), work });
            (from, work) = (end, 0);
        }
    }
    tasks
}

fn heaviest_first(mut tasks: Vec<Task>) -> Vec<Task> {
    tasks.sort_by_key(|task| std::cmp::Reverse(task.work));
    tasks
}

/// Work of the thread that ends last when each takes the next task as soon as it is free.
fn longest_thread(tasks: &[Task], threads: usize) -> usize {
    let mut loads = vec![0; threads];
    for task in tasks {
        if let Some(least) = loads.iter_mut().min() {
            *least += task.work;
        }
    }
    loads.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(lengths: &[usize], heads: usize) -> Vec<Segment> {
        let of = |&length: &usize| {
            (0..heads).map(move |key_head| Segment {
                first_query: 0,
                first_key: 0,
                queries: length,
                keys: length,
                key_head,
                sharing: 1,
                causal: true,
            })
        };
        lengths.iter().flat_map(of).collect()
    }

    #[test]
    fn one_long_segment_is_cut_for_every_thread_without_gap_or_overlap() {
        let tasks = backward_tasks::<f32>(&segments(&[1024], 1), 2);
        let mut queries: Vec<_> = tasks
            .iter()
            .filter_map(
                |task| if let Part::Queries(q) = &task.part { Some(q.clone()) } else { None },
            )
            .collect();
        let mut keys: Vec<_> = tasks
            .iter()
            .filter_map(|task| if let Part::Keys(k) = &task.part { Some(k.clone()) } else { None })
            .collect();
        assert!(queries.len() > 2 && keys.len() > 2);
        for (ranges, end) in [(&mut queries, 11), (&mut keys, 1024)] {
            ranges.sort_by_key(|range| range.start);
            let ends = std::iter::once(0).chain(ranges.iter().map(|range| range.end));
            assert!(ranges.iter().map(|range| range.start).eq(ends.take(ranges.len())));
            assert_eq!(ranges.last().map(|range| range.end), Some(end));
        }
    }

    #[test]
    fn many_segments_stay_whole_because_cutting_costs_two_products() {
        let tasks = backward_tasks::<f32>(&segments(&[256; 4], 4), 2);
        assert!(tasks.len() == 16 && tasks.iter().all(|task| task.part == Part::All));
    }

    #[test]
    fn the_heaviest_tasks_come_first() {
        let tasks = forward_tasks::<f32>(&segments(&[50, 1000, 400], 2), 4);
        assert!(tasks.is_sorted_by_key(|task| std::cmp::Reverse(task.work)));
        assert_eq!(tasks.iter().filter(|task| task.segment.queries == 50).count(), 2);
    }

    #[test]
    fn every_task_is_computed_once_on_any_number_of_threads() {
        let tasks = forward_tasks::<f32>(&segments(&[100; 8], 2), 4);
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let count = AtomicUsize::new(0);
            pool.expect("threads can be started").install(|| {
                for_tasks(&tasks, |task| {
                    count.fetch_add(task.work, Ordering::Relaxed);
                });
            });
            let want: usize = tasks.iter().map(|task| task.work).sum();
            assert_eq!(count.into_inner(), want);
        }
    }
}
