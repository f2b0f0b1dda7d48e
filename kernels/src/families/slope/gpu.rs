//! Dot products and multiples of rows on GPUs; halves of curves and `follow` move nothing.

use burn::tensor::Tensor;

use crate::machine::{Array, Gpu, Launch, Machine, Source, Tensors};

static SOURCE: Source = Source::both(
    ["families/slope/slope.cu", include_str!("slope.cu")],
    ["families/slope/slope.wgsl", include_str!("slope.wgsl")],
);

/// Threads of a block.
const THREADS: usize = 256;
/// Threads of a workgroup: rows are a few hundred numbers long, so that each thread has some.
const FEWER: u32 = 64;
/// Rows of a block of `dot_rows`, a warp each.
const ROWS: usize = 8;

/// `y[p] = sum over k of a[p, k] b[p, k]`, of `[rows, width]`.
fn dot<M: Machine>(machine: &M, [a, b]: [&M::Array; 2], [rows, width]: [usize; 2]) -> M::Array {
    let y = machine.array(a.element(), rows);
    if rows > 0 {
        let launch = Launch::of(&SOURCE, "dot_rows").define("Real", a.element().real());
        let launch = launch.input(a).input(b).output(&y).count("rows", rows);
        let launch = launch.count("width", width).groups(rows).group_sums(FEWER);
        machine.launch(launch.grid(rows.div_ceil(ROWS)).block(256));
    }
    y
}

/// `y[p, k] = s[p] a[p, k]`, of `width` columns.
fn scale<M: Machine>(machine: &M, [scales, a]: [&M::Array; 2], width: usize) -> M::Array {
    let y = machine.array(a.element(), a.len());
    if a.len() > 0 {
        let launch = Launch::of(&SOURCE, "scale_rows").define("Real", a.element().real());
        let launch = launch.input(scales).input(a).output(&y).count("count", a.len());
        let launch = launch.count("width", width).groups(a.len().div_ceil(FEWER as usize));
        let launch = launch.group_threads(FEWER);
        machine.launch(launch.grid(a.len().div_ceil(THREADS)).block(256));
    }
    y
}

/// [`dot_rows`](fn@super::dot_rows).
pub(crate) fn dot_rows<B: Gpu>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    let [rows, width] = a.dims();
    B::on(&a.device(), |machine| {
        let [a, b] = [a, b].map(|x| machine.input(x));
        machine.tensor(dot(machine, [&a, &b], [rows, width]), [rows, 1])
    })
}

/// [`scale_rows`](fn@super::scale_rows).
pub(crate) fn scale_rows<B: Gpu>(scales: Tensor<B, 2>, a: Tensor<B, 2>) -> Tensor<B, 2> {
    let [rows, width] = a.dims();
    B::on(&a.device(), |machine| {
        let [scales, a] = [scales, a].map(|x| machine.input(x));
        machine.tensor(scale(machine, [&scales, &a], width), [rows, width])
    })
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        let some = machine.numbers(1);
        dot(machine, [&some, &some], [1, 1]);
        scale(machine, [&some, &some], 1);
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
