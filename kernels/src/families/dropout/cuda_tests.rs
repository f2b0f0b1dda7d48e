//! `dropout.cu` on the emulator: the mask of the CPU, to the bit.

use burn::tensor::DType;

use super::super::{DropoutMask, reference};
use super::masked;
use crate::Cpu;
use crate::machine::cuda::Element;
use crate::machine::cuda::emulated::COUNTS;
use crate::machine::cuda::emulator::Emulator;
use crate::testing::{host, numbers, shaped};

const MASK: DropoutMask = DropoutMask { rate: 0.3, key: 0x0123_4567_89ab_cdef, index: 5 << 40 };

#[test]
fn the_emulated_kernel_drops_what_the_reference_drops() {
    let Some(machine) = Emulator::find() else { return };
    for count in COUNTS.into_iter().filter(|&count| count > 0) {
        let x = numbers(count, 1);
        for (element, dtype) in [(Element::F32, DType::F32), (Element::F64, DType::F64)] {
            let [got] = masked(&machine, &machine.array_of(element, &x), &MASK);
            let x = shaped::<Cpu, 2>(&x, [1, count], dtype);
            assert_eq!(got.values(), host(reference::forward(x, &MASK)));
        }
    }
}

#[test]
fn an_emulated_rate_of_zero_changes_nothing_and_nan_is_never_hidden() {
    let Some(machine) = Emulator::find() else { return };
    let keep = DropoutMask { rate: 0.0, ..MASK };
    let x = machine.array_of(Element::F32, &[1.5, -2.0]);
    assert_eq!(masked(&machine, &x, &keep)[0].values(), [1.5, -2.0]);
    let most = DropoutMask { rate: 0.99, ..MASK };
    let nan = machine.array_of(Element::F32, &[f64::NAN; 50]);
    assert!(masked(&machine, &nan, &most)[0].values().iter().all(|y| y.is_nan()));
}
