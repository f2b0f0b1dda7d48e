//! Dot products and multiples of rows on CUDA; halves of curves and `follow` move nothing.

use crate::machine::cuda::{Array, Launch, Machine, Source};

static SOURCE: Source = Source::of("families/slope/slope.cu", include_str!("slope.cu"));

/// Threads of a block.
const THREADS: usize = 256;
/// Rows of a block of `dot_rows`, a warp each.
const ROWS: usize = 8;

/// `y[p] = sum over k of a[p, k] b[p, k]`, of `[rows, width]`.
pub(crate) fn dot<M: Machine>(
    machine: &M,
    [a, b]: [&M::Array; 2],
    [rows, width]: [usize; 2],
) -> M::Array {
    let y = machine.array(a.element(), rows);
    if rows > 0 {
        let launch = Launch::of(&SOURCE, "dot_rows").define("Real", a.element().real());
        let launch = launch.input(a).input(b).output(&y).size(rows).size(width);
        machine.launch(launch.grid(rows.div_ceil(ROWS)).block(256));
    }
    y
}

/// `y[p, k] = s[p] a[p, k]`, of `width` columns.
pub(crate) fn scale<M: Machine>(
    machine: &M,
    [scales, a]: [&M::Array; 2],
    width: usize,
) -> M::Array {
    let y = machine.array(a.element(), a.len());
    if a.len() > 0 {
        let launch = Launch::of(&SOURCE, "scale_rows").define("Real", a.element().real());
        let launch = launch.input(scales).input(a).output(&y).size(a.len()).size(width);
        machine.launch(launch.grid(a.len().div_ceil(THREADS)).block(256));
    }
    y
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
