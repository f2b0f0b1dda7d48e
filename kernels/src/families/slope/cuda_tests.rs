//! `slope.cu` on the emulator against the reference in f64.

use burn::tensor::{DType, Tensor};

use super::super::tests::{Dot, Scale};
use super::{dot, scale};
use crate::Cpu;
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::device_tests::{check_case, has_device};
use crate::machine::cuda::emulator::{Emulator, assert_as_reference};
use crate::testing::{Case, host, numbers, tensors};

/// Fewer numbers than lanes, as many, one more; fewer rows than warps and more.
const SIZES: [[usize; 2]; 7] = [[1, 1], [5, 37], [3, 32], [9, 33], [300, 3], [7, 1280], [2, 0]];

const BOTH: [Element; 2] = [Element::F32, Element::F64];

fn reference(case: &impl Case, inputs: &[Vec<f64>], dtype: DType) -> Vec<f64> {
    let tensors: Vec<Tensor<Cpu, 1>> = tensors(inputs, dtype);
    host(case.reference(&tensors))
}

fn check(got: &[Vec<f64>; 2], case: &impl Case, inputs: &[Vec<f64>], terms: usize) {
    let want = [DType::F32, DType::F64].map(|dtype| reference(case, inputs, dtype));
    assert_as_reference([&got[0], &got[1]], [&want[0], &want[1]], terms);
}

#[test]
fn emulated_dots_and_multiples_match_the_reference() {
    let Some(machine) = Emulator::find() else { return };
    for [rows, width] in SIZES {
        let [a, b] = [1, 2].map(|seed| numbers(rows * width, seed));
        let scales = numbers(rows, 3);
        let run = |of: &dyn Fn(Element) -> Vec<f64>| BOTH.map(of);
        let dots = run(&|element| {
            let [a, b] = [&a, &b].map(|x| machine.array_of(element, x));
            dot(&machine, [&a, &b], [rows, width]).values()
        });
        if width == 0 {
            assert_eq!(dots[0], vec![0.0; rows]);
            continue;
        }
        check(&dots, &Dot { width }, &[a.clone(), b], width);
        let multiples = run(&|element| {
            let [scales, a] = [&scales, &a].map(|x| machine.array_of(element, x));
            scale(&machine, [&scales, &a], width).values()
        });
        check(&multiples, &Scale { width }, &[scales, a], 1);
    }
}

#[test]
fn a_nan_spoils_its_own_dot_product_only_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    let mut a = numbers(3 * 70, 1);
    a[139] = f64::NAN;
    let [a, b] = [&a, &numbers(3 * 70, 2)].map(|x| machine.array_of(Element::F32, x));
    let got = dot(&machine, [&a, &b], [3, 70]).values();
    assert_eq!(got.iter().map(|x| x.is_nan()).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn no_rows_launch_no_dots_and_no_multiples_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    let none = machine.array_of(Element::F64, &[]);
    assert!(dot(&machine, [&none, &none], [0, 3]).values().is_empty());
    assert!(scale(&machine, [&none, &none], 3).values().is_empty());
}

#[cfg(feature = "cuda")]
#[test]
fn dots_and_multiples_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for [rows, width] in SIZES.into_iter().filter(|sizes| sizes[1] > 0).chain([[20_000, 96]]) {
        let [a, b] = [1, 2].map(|seed| numbers(rows * width, seed));
        let name = format!("{rows} x {width}");
        check_case(&name, &Dot { width }, &[a.clone(), b]);
        check_case(&name, &Scale { width }, &[numbers(rows, 3), a]);
    }
}
