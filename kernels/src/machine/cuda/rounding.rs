//! Nearest bf16 of every number: as bf16, what tensor cores read, or in the type it came in.
//!
//! The rounding is that of [`precision`](crate::families::precision), bit for bit.

use super::{Array, Element, Launch, Machine, Source};
use crate::machine::launch::Number;

static SOURCE: Source = Source::of("machine/cuda/rounding.cu", include_str!("rounding.cu"));
const THREADS: u32 = 256;
/// Numbers of a block.
const BLOCK: usize = 4 * THREADS as usize;

/// As bf16.
pub(crate) fn to_bf16<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    run(machine, "to_bf16", x, Element::Bf16)
}

/// In the type of `x`.
pub(crate) fn round_to_bf16<M: Machine>(machine: &M, x: &M::Array) -> M::Array {
    run(machine, "round_to_bf16", x, x.element())
}

fn run<M: Machine>(machine: &M, entry: &'static str, x: &M::Array, element: Element) -> M::Array {
    let out = machine.array(element, x.len());
    if x.len() > 0 {
        let launch = Launch::of(&SOURCE, entry).define("Real", x.element().real()).block(THREADS);
        let launch = launch.input(x).output(&out).number(Number::U64(x.len() as u64));
        machine.launch(launch.grid(x.len().div_ceil(BLOCK)));
    }
    out
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::bf16::{round_f32, round_f64};
    use crate::machine::cuda::emulator::Emulator;
    use crate::testing::numbers;

    /// Ties of bf16, and numbers that only f64 tells from them; then many others.
    fn values(count: usize) -> Vec<f64> {
        let tie = 1.0 + 2f64.powi(-8);
        let special = [
            tie,
            tie + 2f64.powi(-23),
            tie + 2f64.powi(-50),
            tie + 2f64.powi(-7),
            -tie - 2f64.powi(-52),
            3.4e38,
            -1e300,
            1e-40,
            1e-310,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        special.into_iter().chain(numbers(2000, 7)).take(count).collect()
    }

    #[test]
    fn emulated_rounding_has_the_bits_of_the_scalar_functions() {
        let Some(machine) = Emulator::find() else { return };
        for count in [0, 1, 13, 1027] {
            let x = values(count);
            for element in [Element::F32, Element::F64] {
                let input = machine.array_of(element, &x);
                #[expect(clippy::cast_possible_truncation, reason = "the input in f32")]
                let want = |&x: &f64| match element {
                    Element::F32 => f64::from(round_f32(x as f32)),
                    _ => round_f64(x),
                };
                let bits = |x: f64| if x.is_nan() { 1 } else { x.to_bits() };
                let want: Vec<u64> = x.iter().map(want).map(bits).collect();
                for got in [to_bf16(&machine, &input), round_to_bf16(&machine, &input)] {
                    assert_eq!(got.values().into_iter().map(bits).collect::<Vec<_>>(), want);
                }
            }
        }
    }
}
