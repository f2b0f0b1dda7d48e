//! Roundings and casts on CUDA: operands of products that take bf16. The contract is that of `../precision.rs`.

use super::elementwise::map;
use super::launch::Number;
use super::{Array, Element, Launch, Machine, Source};

static SOURCE: Source = Source::of("cuda/precision.cu", include_str!("precision.cu"));
const THREADS: u32 = 256;

/// Nearest bf16 of every number, in the type of `x`.
pub(crate) fn round_to_bf16<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    let [y] = map(machine, (&SOURCE, "round_to_bf16"), [x], &[]);
    y
}

/// Numbers of f32 as bf16.
pub(crate) fn cast_to_bf16<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    cast(machine, "cast_to_bf16", x, Element::Bf16)
}

/// Numbers of bf16 as f32.
pub(crate) fn cast_from_bf16<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    cast(machine, "cast_from_bf16", x, Element::F32)
}

fn cast<M: Machine>(machine: &M, entry: &'static str, x: &M::Array, to: Element) -> M::Array {
    let y = machine.array(to, x.len());
    if x.len() > 0 {
        let launch = Launch::of(&SOURCE, entry).define("Real", "float").input(x).output(&y);
        let launch = launch.number(Number::U64(x.len() as u64)).block(THREADS);
        machine.launch(launch.grid(x.len().div_ceil(4 * THREADS as usize)));
    }
    y
}

#[cfg(all(test, unix))]
#[path = "precision_tests.rs"]
mod tests;
