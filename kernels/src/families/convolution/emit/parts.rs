//! Which paths one kernel takes.

use super::super::{Path, Paths};

/// Most rows of the output that a kernel holds per thread: with the inputs, the harmonics and
/// addresses they stay below the 255 registers of a thread even in f64.
const MOST_ROWS: usize = 48;

/// Paths in the order of the output, cut where their rows pass [`MOST_ROWS`].
pub(super) fn by_output(paths: &Paths) -> Vec<Vec<usize>> {
    cut(paths, (0..paths.len()).collect())
}

/// The same in the order of the input degree, so that parts share few input degrees.
pub(super) fn by_input(paths: &Paths) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by_key(|&q| path(paths, q).degrees[0]);
    cut(paths, order)
}

fn cut(paths: &Paths, order: Vec<usize>) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut rows = MOST_ROWS;
    for q in order {
        let more = path(paths, q).num_components();
        match parts.last_mut() {
            Some(part) if rows + more <= MOST_ROWS => {
                part.push(q);
                rows += more;
            }
            _ => {
                parts.push(vec![q]);
                rows = more;
            }
        }
    }
    parts
}

/// Path `q` of the list.
pub(super) fn path(paths: &Paths, q: usize) -> &Path {
    &paths.list[q]
}

/// The input degrees of some paths, ascending, each once.
pub(super) fn input_degrees(paths: &Paths, part: &[usize]) -> Vec<usize> {
    let mut degrees: Vec<usize> = part.iter().map(|&q| path(paths, q).degrees[0]).collect();
    degrees.sort_unstable();
    degrees.dedup();
    degrees
}
