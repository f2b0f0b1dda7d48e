//! Lookup of rows and the sum of their gradients on CUDA.

use crate::machine::cuda::{Array, Launch, Machine, Source};
use crate::machine::launch::Number;

static SOURCE: Source = Source::of("families/embedding/embedding.cu", include_str!("embedding.cu"));
const THREADS: usize = 256;
/// Groups of rows in the backward at most: a few blocks for each processor of the largest devices (132).
/// Each group reads all ids once, so more groups than that only read more.
const MOST_GROUPS: usize = 512;

/// Rows of `weight [V, C]` at `ids [N]`; NaN where an id is none of its rows.
pub(crate) fn forward<M: Machine>(
    machine: &M,
    weight: &M::Array,
    ids: &M::Array,
    [rows, width]: [usize; 2],
) -> M::Array {
    let y = machine.array(weight.element(), ids.len() * width);
    if y.len() == 0 {
        return y;
    }
    let launch = Launch::of(&SOURCE, "embedding").define("Real", weight.element().real());
    let launch = launch.input(weight).input(ids).output(&y);
    let launch = launch.number(Number::U64(ids.len() as u64)).size(rows).size(width);
    let threads = ids.len() * width.div_ceil(4);
    machine.launch(launch.grid(threads.div_ceil(THREADS)).block(256));
    y
}

/// Gradient of the table, `[V, C]`, from `grad [N, C]`.
pub(crate) fn backward<M: Machine>(
    machine: &M,
    grad: &M::Array,
    ids: &M::Array,
    [rows, width]: [usize; 2],
) -> M::Array {
    let table = machine.array(grad.element(), rows * width);
    if table.len() == 0 {
        return table;
    }
    let launch = Launch::of(&SOURCE, "embedding_backward").define("Real", grad.element().real());
    let launch = launch.input(grad).input(ids).output(&table);
    let launch = launch.size(ids.len()).size(rows).size(width);
    let grid = [rows.min(MOST_GROUPS), width.div_ceil(THREADS), 1];
    machine.launch(launch.grid3(grid).block(256));
    table
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
