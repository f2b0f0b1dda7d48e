//! `precision.cu` on the emulator against the roundings of the CPU, to the bit.

use super::{cast_from_bf16, cast_to_bf16, round_to_bf16};
use crate::cuda::Element;
use crate::cuda::emulated::COUNTS;
use crate::cuda::emulator::Emulator;
use crate::precision::{round_f32, round_f64};
use crate::testing::numbers;

/// Ties to both sides, numbers beside a tie that f32 does not tell from it, the ends of the range.
fn hard() -> Vec<f64> {
    let tie = 1.0 + 2f64.powi(-8);
    let mut hard = vec![0.0, 1.0, tie, tie + 2f64.powi(-7), 3.4e38, 1e-40, 2f64.powi(-133), 1e39];
    for beside in [2f64.powi(-23), 2f64.powi(-30), 2f64.powi(-50)] {
        hard.extend([tie + beside, tie - beside, tie + 2f64.powi(-7) - beside]);
    }
    hard.extend(hard.clone().iter().map(|x| -x));
    [hard, vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN]].concat()
}

fn assert_same(got: &[f64], want: impl Iterator<Item = f64>) {
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
        assert!(same, "value {at} is {got:e} but must be {want:e}");
    }
}

#[expect(clippy::cast_possible_truncation, reason = "inputs of f32")]
fn narrow(x: &[f64]) -> impl Iterator<Item = f32> {
    x.iter().map(|&x| x as f32)
}

#[test]
fn emulated_roundings_are_those_of_the_cpu() {
    let Some(machine) = Emulator::find() else { return };
    let inputs = COUNTS.map(|count| numbers(count, 1)).into_iter().chain([hard()]);
    for x in inputs {
        let of = |element| round_to_bf16(&machine, &machine.array_of(element, &x)).values();
        assert_same(&of(Element::F32), narrow(&x).map(|x| f64::from(round_f32(x))));
        assert_same(&of(Element::F64), x.iter().map(|&x| round_f64(x)));
    }
}

#[test]
fn emulated_casts_round_and_come_back() {
    let Some(machine) = Emulator::find() else { return };
    let inputs = COUNTS.map(|count| numbers(count, 1)).into_iter().chain([hard()]);
    for x in inputs {
        let narrowed = cast_to_bf16(&machine, &machine.array_of(Element::F32, &x));
        let back = cast_from_bf16(&machine, &narrowed).values();
        assert_eq!(back.len(), x.len());
        assert_same(&back, narrow(&x).map(|x| f64::from(round_f32(x))));
    }
}
