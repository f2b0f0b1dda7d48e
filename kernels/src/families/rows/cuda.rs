//! Rows and sums of rows on CUDA: a thread per pack of the result.

use super::RowIndex;
use crate::machine::cuda::{Array, Launch, Machine, Source};

static SOURCE: Source = Source::of("families/rows/rows.cu", include_str!("rows.cu"));

/// Threads of a block.
const THREADS: usize = 256;

/// An index in the memory of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Index<A> {
    rows: A,
    starts: A,
    items: A,
    num_rows: usize,
    num_items: usize,
}

impl<A> Index<A> {
    pub(crate) fn upload<M: Machine<Array = A>>(machine: &M, index: &RowIndex) -> Self {
        Self {
            rows: machine.upload(index.rows()),
            starts: machine.upload(index.starts()),
            items: machine.upload(index.items()),
            num_rows: index.num_rows(),
            num_items: index.num_items(),
        }
    }

    /// Where the items of each row start.
    pub(crate) fn starts(&self) -> &A {
        &self.starts
    }

    /// The items sorted by row.
    pub(crate) fn items(&self) -> &A {
        &self.items
    }
}

/// `y[e, :] = x[r[e], :]` of rows of `width` numbers.
pub(crate) fn gather<M: Machine>(
    machine: &M,
    x: &M::Array,
    index: &Index<M::Array>,
    width: usize,
) -> M::Array {
    let y = machine.array(x.element(), index.num_items * width);
    if let Some((launch, packs)) = launch("gather_rows", &y, width) {
        machine.launch(
            launch.input(x).input(&index.rows).output(&y).size(y.len() * packs / width).size(packs),
        );
    }
    y
}

/// `y[n, :] = sum over e with r[e] = n of x[e, :]` of rows of `width` numbers.
pub(crate) fn sum<M: Machine>(
    machine: &M,
    x: &M::Array,
    index: &Index<M::Array>,
    width: usize,
) -> M::Array {
    let y = machine.array(x.element(), index.num_rows * width);
    if let Some((launch, packs)) = launch("sum_rows", &y, width) {
        let launch = launch.input(x).input(&index.starts).input(&index.items).output(&y);
        machine.launch(launch.size(y.len() * packs / width).size(packs));
    }
    y
}

/// A launch over the packs of a result, and how many a row has; none when there is no number.
fn launch<'a, A: Array>(
    entry: &'static str,
    y: &A,
    width: usize,
) -> Option<(Launch<'a, A>, usize)> {
    if y.len() == 0 {
        return None;
    }
    let pack = if width.is_multiple_of(4) { 4 } else { 1 };
    let launch = Launch::of(&SOURCE, entry).define("Real", y.element().real()).define("PACK", pack);
    let grid = (y.len() / pack).div_ceil(THREADS);
    Some((launch.grid(grid).block(256), width / pack))
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
