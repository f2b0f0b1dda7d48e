//! Sums over a buffer on CUDA: chunks of it, then chunks of their sums, until one number is left.

#[cfg(feature = "cuda")]
use burn::tensor::Tensor;

use crate::machine::{Array, Launch, Machine, Number, Source};
#[cfg(feature = "cuda")]
use crate::machine::{Gpu, Tensors};

static SOURCE: Source = Source::of("families/reduce/reduce.cu", include_str!("reduce.cu"));
const THREADS: u32 = 256;
/// Numbers that a block sums: the `CHUNK` of the kernel.
const CHUNK: usize = 8192;

/// `sum_p x[p]^2`, one number; zero for an empty buffer.
pub(crate) fn sum_of_squares<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    if x.len() == 0 {
        return machine.zeros(x.element(), 1);
    }
    let mut sums = per_chunk(machine, "sum_of_squares", x);
    while sums.len() > 1 {
        sums = per_chunk(machine, "sum", &sums);
    }
    sums
}

/// [`sum_of_squares`](fn@super::sum_of_squares).
#[cfg(feature = "cuda")]
pub(crate) fn of_tensor<B: Gpu>(x: Tensor<B, 1>) -> Tensor<B, 1> {
    B::on(&x.device(), |machine| machine.tensor(sum_of_squares(machine, &machine.input(x)), [1]))
}

fn per_chunk<M: Machine>(machine: &M, entry: &'static str, x: &M::Array) -> M::Array {
    let chunks = x.len().div_ceil(CHUNK);
    let sums = machine.array(x.element(), chunks);
    let launch = Launch::of(&SOURCE, entry).define("Real", x.element().real()).block(THREADS);
    let launch = launch.input(x).output(&sums).number(Number::U64(x.len() as u64));
    machine.launch(launch.grid(chunks));
    sums
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
