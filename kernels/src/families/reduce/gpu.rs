//! Sums on GPUs: over a buffer chunk by chunk, then over the sums of the chunks until one number is left; and of
//! columns, which other families need for gradients of weights.

use burn::tensor::Tensor;

use super::ROW;
use crate::machine::{Array, Gpu, Language, Launch, Machine, Source, Tensors};

static SOURCE: Source = Source::both(
    ["families/reduce/reduce.cu", include_str!("reduce.cu")],
    ["families/reduce/reduce.wgsl", include_str!("reduce.wgsl")],
);
const THREADS: u32 = 256;
/// Numbers that a block sums: the `CHUNK` of the kernel in CUDA.
const CHUNK: usize = 8192;
/// Columns of a block of `column_sums`.
const COLUMNS: usize = 32;

/// `sum_p x[p]^2`, one number; zero for an empty buffer.
fn sum_of_squares<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    until_one(machine, "sum_of_squares", x)
}

/// `sum_p x[p]`, one number; zero for an empty buffer.
#[cfg(feature = "wgpu")]
pub(crate) fn sum<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    until_one(machine, "sum", x)
}

/// `[rows, width] -> [width]`, zero where there is no row.
pub(crate) fn column_sums<M: Machine>(
    machine: &M,
    x: &M::Array,
    [rows, width]: [usize; 2],
) -> M::Array {
    let sums = machine.array(x.element(), width);
    if width > 0 {
        let launch = Launch::of(&SOURCE, "column_sums").define("Real", x.element().real());
        let launch = launch.input(x).output(&sums).count("rows", rows).count("width", width);
        let launch = launch.groups(width.div_ceil(THREADS as usize)).group_threads(THREADS);
        machine.launch(launch.grid(width.div_ceil(COLUMNS)).block(THREADS));
    }
    sums
}

fn until_one<M: Machine>(machine: &M, first: &'static str, x: &M::Array) -> M::Array {
    if x.len() == 0 {
        return machine.zeros(x.element(), 1);
    }
    let mut sums = per_chunk(machine, first, x);
    while sums.len() > 1 {
        sums = per_chunk(machine, "sum", &sums);
    }
    sums
}

fn per_chunk<M: Machine>(machine: &M, entry: &'static str, x: &M::Array) -> M::Array {
    let chunk = if M::LANGUAGE == Language::Cuda { CHUNK } else { ROW };
    let chunks = x.len().div_ceil(chunk);
    let sums = machine.array(x.element(), chunks);
    let launch = Launch::of(&SOURCE, entry).define("Real", x.element().real()).block(THREADS);
    let launch = launch.input(x).output(&sums).count("count", x.len());
    machine.launch(launch.in_wgsl("ROW", ROW).group_sums(THREADS).grid(chunks));
    sums
}

/// [`sum_of_squares`](fn@super::sum_of_squares).
pub(crate) fn of_tensor<B: Gpu>(x: Tensor<B, 1>) -> Tensor<B, 1> {
    B::on(&x.device(), |machine| machine.tensor(sum_of_squares(machine, &machine.input(x)), [1]))
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        sum_of_squares(machine, &machine.numbers(1));
        sum(machine, &machine.numbers(1));
        column_sums(machine, &machine.numbers(1), [1, 1]);
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
