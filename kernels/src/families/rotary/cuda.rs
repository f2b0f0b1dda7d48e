//! The rotation on CUDA: a thread for four columns of both halves of a head.

use crate::machine::cuda::launch::Number;
use crate::machine::cuda::{Array, Launch, Machine, Source};

static SOURCE: Source = Source::of("families/rotary/rotary.cu", include_str!("rotary.cu"));
const THREADS: u32 = 256;

/// `x [N, H, D]` turned by `cos`, `sin [N, D/2]`.
pub(crate) fn forward<M: Machine>(
    machine: &M,
    [x, cos, sin]: [&M::Array; 3],
    [tokens, heads, width]: [usize; 3],
) -> M::Array {
    let y = machine.array(x.element(), x.len());
    if x.len() == 0 {
        return y;
    }
    let (rows, half) = (tokens * heads, width / 2);
    let launch = Launch::of(&SOURCE, "rotary").define("Real", x.element().real());
    let launch = launch.input(x).input(cos).input(sin).output(&y);
    let launch = launch.number(Number::U64(rows as u64)).size(heads).size(half);
    let blocks = (rows * half.div_ceil(4)).div_ceil(THREADS as usize);
    machine.launch(launch.grid(blocks).block(THREADS));
    y
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
