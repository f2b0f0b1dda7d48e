//! What tests of host sides share: the same problem on the emulator and as reference on the CPU.

use burn::tensor::{DType, Tensor};

use super::Element;
use super::emulator::{Emulator, GuardedArray};
use crate::Cpu;
use crate::testing::{assert_both, flat, host};

/// Compares every result of the host side, run on the emulator in f32 and f64, with that of the reference.
/// Both get the same flat inputs; where these are empty, so are the results.
#[track_caller]
pub(crate) fn check_emulated(
    inputs: &[Vec<f64>],
    emulated: impl Fn(&Emulator, &[GuardedArray]) -> Vec<GuardedArray>,
    reference: impl Fn(&[Tensor<Cpu, 1>]) -> Vec<Tensor<Cpu, 1>>,
) {
    let Some(machine) = Emulator::find() else { return };
    let run = |element| {
        let arrays: Vec<_> = inputs.iter().map(|x| machine.array_of(element, x)).collect();
        emulated(&machine, &arrays).iter().map(GuardedArray::values).collect::<Vec<_>>()
    };
    let (got32, got64) = (run(Element::F32), run(Element::F64));
    if inputs.iter().all(Vec::is_empty) {
        assert!(got32.concat().is_empty() && got64.concat().is_empty());
        return;
    }
    let plain = |dtype| {
        let tensors: Vec<_> = inputs.iter().map(|x| flat(x, dtype)).collect();
        reference(&tensors).into_iter().map(host).collect::<Vec<_>>()
    };
    let (want32, want64) = (plain(DType::F32), plain(DType::F64));
    assert!(got32.len() == want32.len(), "{} results of {}", got32.len(), want32.len());
    for at in 0..got32.len() {
        assert_both(&got32[at], &got64[at], &narrow(&want32[at]), &want64[at]);
    }
}

/// Numbers of f32 as such.
#[expect(clippy::cast_possible_truncation, reason = "the numbers are those of f32")]
pub(crate) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

/// Counts around the four numbers of a thread and the 1024 of a block.
pub(crate) const COUNTS: [usize; 9] = [0, 1, 3, 4, 5, 127, 1023, 1024, 2053];
