//! Lookup of rows and the sum of their gradients on GPUs.

use burn::tensor::{Int, Tensor};

use super::reference::host_ids;
use crate::machine::{Array, Gpu, Language, Launch, Machine, Source, Tensors};
use crate::shape::assert_ids;

static SOURCE: Source = Source::both(
    ["families/embedding/embedding.cu", include_str!("embedding.cu")],
    ["families/embedding/embedding.wgsl", include_str!("embedding.wgsl")],
);
const THREADS: u32 = 256;
/// Groups of rows in the backward at most: a few blocks for each processor of the largest devices (132).
/// Each group reads all ids once, so more groups than that only read more.
const MOST_GROUPS: usize = 512;
/// In WGSL, a bit for each token of a window.
const VOTES_BYTES: u32 = THREADS / 8;

/// Rows of `weight [V, C]` at `ids [N]`; in CUDA NaN where an id is none of its rows.
fn rows_at<M: Machine>(
    machine: &M,
    [weight, ids]: [&M::Array; 2],
    [rows, width]: [usize; 2],
) -> M::Array {
    let y = machine.array(weight.element(), ids.len() * width);
    if y.len() == 0 {
        return y;
    }
    let launch = Launch::of(&SOURCE, "embedding").input(weight).input(ids).output(&y);
    let [blocks, groups] =
        [ids.len() * width.div_ceil(4), y.len()].map(|threads| threads.div_ceil(THREADS as usize));
    machine.launch(sized(launch, &y, [ids.len(), rows, width]).grid(blocks).groups(groups));
    y
}

/// Gradient of the table, `[V, C]`, from `grad [N, C]`.
fn sums<M: Machine>(
    machine: &M,
    [grad, ids]: [&M::Array; 2],
    [rows, width]: [usize; 2],
) -> M::Array {
    let table = machine.array(grad.element(), rows * width);
    if table.len() == 0 {
        return table;
    }
    let launch = Launch::of(&SOURCE, "embedding_backward").input(grad).input(ids).output(&table);
    let grid = [rows.min(MOST_GROUPS), width.div_ceil(THREADS as usize), 1];
    let launch = sized(launch, &table, [ids.len(), rows, width]).behind("", VOTES_BYTES);
    machine.launch(launch.grid3(grid));
    table
}

/// The sizes, which both kernels take in this order.
fn sized<'a, A: Array>(
    launch: Launch<'a, A>,
    result: &A,
    [tokens, rows, width]: [usize; 3],
) -> Launch<'a, A> {
    let launch = launch.define("Real", result.element().real()).block(THREADS);
    launch.count("tokens", tokens).count("rows", rows).count("width", width)
}

/// Names an id that is no row, where the kernel does not guard against it.
fn check<B: Gpu>(operation: &str, ids: &Tensor<B, 1, Int>, rows: usize) {
    if B::Machine::LANGUAGE == Language::Wgsl {
        assert_ids(operation, "ids", &host_ids(ids), rows, "the table");
    }
}

/// [`embedding`](fn@super::embedding).
pub(crate) fn forward<B: Gpu>(weight: Tensor<B, 2>, ids: Tensor<B, 1, Int>) -> Tensor<B, 2> {
    let ([rows, width], [tokens]) = (weight.dims(), ids.dims());
    check("embedding", &ids, rows);
    B::on(&weight.device(), |machine| {
        let (weight, ids) = (machine.input(weight), machine.input_int(ids));
        machine.tensor(rows_at(machine, [&weight, &ids], [rows, width]), [tokens, width])
    })
}

/// [`embedding_backward`](fn@super::embedding_backward).
pub(crate) fn backward<B: Gpu>(
    grad: Tensor<B, 2>,
    ids: Tensor<B, 1, Int>,
    num_rows: usize,
) -> Tensor<B, 2> {
    let [_, width] = grad.dims();
    check("embedding_backward", &ids, num_rows);
    B::on(&grad.device(), |machine| {
        let (grad, ids) = (machine.input(grad), machine.input_int(ids));
        machine.tensor(sums(machine, [&grad, &ids], [num_rows, width]), [num_rows, width])
    })
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        let some = machine.numbers(1);
        rows_at(machine, [&some, &some], [1, 1]);
        sums(machine, [&some, &some], [1, 1]);
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
