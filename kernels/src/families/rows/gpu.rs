//! Rows and sums of rows on GPUs: a thread per pack of the result.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::RowIndex;
use crate::machine::{Array, Gpu, Launch, Machine, Source, Tensors};

static SOURCE: Source = Source::both(
    ["families/rows/rows.cu", include_str!("rows.cu")],
    ["families/rows/rows.wgsl", include_str!("rows.wgsl")],
);
/// In WGSL, rows whose width is no multiple of four.
const NUMBERS: &str = "override PACK: u32 = 1;\nalias Pack = f32;";
/// And all others.
const FOURS: &str = "override PACK: u32 = 4;\nalias Pack = vec4<f32>;";

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
            launch
                .input(x)
                .input(&index.rows)
                .output(&y)
                .count("count", y.len() * packs / width)
                .count("packs", packs),
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
        let launch = launch.count("count", y.len() * packs / width);
        machine.launch(launch.count("packs", packs));
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
    let (pack, text) = if width.is_multiple_of(4) { (4, FOURS) } else { (1, NUMBERS) };
    let launch = Launch::of(&SOURCE, entry).define("Real", y.element().real()).define("PACK", pack);
    let grid = (y.len() / pack).div_ceil(THREADS);
    Some((launch.grid(grid).block(256).behind(text, 0), width / pack))
}

/// The index in the memory of a device, brought there once.
fn index<M: Tensors<B>, B: Gpu>(machine: &M, of: &RowIndex) -> Arc<Index<M::Array>> {
    of.memo().get(machine.key(), || Index::upload(machine, of))
}

/// [`gather_rows`](fn@super::gather_rows).
pub(crate) fn gather_rows<B: Gpu>(x: Tensor<B, 2>, indices: &RowIndex) -> Tensor<B, 2> {
    let [_, width] = x.dims();
    B::on(&x.device(), |machine| {
        let y = gather(machine, &machine.input(x), &index(machine, indices), width);
        machine.tensor(y, [indices.num_items(), width])
    })
}

/// [`sum_rows`](fn@super::sum_rows).
pub(crate) fn sum_rows<B: Gpu>(x: Tensor<B, 2>, indices: &RowIndex) -> Tensor<B, 2> {
    let [_, width] = x.dims();
    B::on(&x.device(), |machine| {
        let y = sum(machine, &machine.input(x), &index(machine, indices), width);
        machine.tensor(y, [indices.num_rows(), width])
    })
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        let index = Index::upload(machine, &RowIndex::new(&[0], 1));
        for width in [1, 4] {
            gather(machine, &machine.numbers(width), &index, width);
            sum(machine, &machine.numbers(width), &index, width);
        }
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
