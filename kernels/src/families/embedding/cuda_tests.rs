//! `embedding.cu` on the emulator: lookups exact, sums in the order of the CPU, to the bit.

use burn::tensor::DType;

use super::super::{cpu, reference};
use super::{rows_at, sums};
use crate::Cpu;
use crate::machine::cuda::Element;
use crate::machine::cuda::emulator::{Emulator, GuardedArray};
use crate::testing::{host, ints, numbers, shaped};

/// V, C, N: one of each; ragged packs; more rows than groups; more tokens than a window, more columns
/// than threads; a row for nearly every token.
const SIZES: [[usize; 3]; 6] =
    [[1, 1, 1], [5, 3, 7], [700, 5, 900], [3, 260, 600], [40, 8, 256], [2, 1, 257]];

fn ids(rows: usize, tokens: usize) -> Vec<i32> {
    let id = |at: usize| i32::try_from(at * at * 7 % (rows + at % 3) % rows).expect("few rows");
    (0..tokens).map(id).collect()
}

fn array_of_ids(machine: &Emulator, ids: &[i32]) -> GuardedArray {
    machine.array_of(Element::I32, &ids.iter().map(|&id| f64::from(id)).collect::<Vec<_>>())
}

#[test]
fn emulated_lookups_and_their_gradients_are_those_of_the_cpu() {
    let Some(machine) = Emulator::find() else { return };
    for [rows, width, tokens] in SIZES {
        let (weight, grad) = (numbers(rows * width, 1), numbers(tokens * width, 2));
        let ids = ids(rows, tokens);
        let device_ids = array_of_ids(&machine, &ids);
        for (element, dtype) in [(Element::F32, DType::F32), (Element::F64, DType::F64)] {
            let of = |values: &[f64]| machine.array_of(element, values);
            let y = rows_at(&machine, [&of(&weight), &device_ids], [rows, width]);
            let table = sums(&machine, [&of(&grad), &device_ids], [rows, width]);
            let weight = shaped::<Cpu, 2>(&weight, [rows, width], dtype);
            assert_eq!(y.values(), host(reference::forward(weight, ints::<Cpu>(&ids))));
            let grad = shaped::<Cpu, 2>(&grad, [tokens, width], dtype);
            assert_eq!(table.values(), host(cpu::backward(grad, &ints::<Cpu>(&ids), rows)));
        }
    }
}

#[test]
fn without_tokens_the_emulated_gradient_is_zero() {
    let Some(machine) = Emulator::find() else { return };
    let (none, no_ids) = (machine.array_of(Element::F32, &[]), array_of_ids(&machine, &[]));
    let weight = machine.array_of(Element::F32, &numbers(6, 1));
    assert_eq!(rows_at(&machine, [&weight, &no_ids], [2, 3]).values(), [0.0; 0]);
    assert_eq!(sums(&machine, [&none, &no_ids], [2, 3]).values(), [0.0; 6]);
}

#[test]
fn an_id_that_is_no_row_gives_nan_and_no_gradient() {
    let Some(machine) = Emulator::find() else { return };
    let ids = array_of_ids(&machine, &[1, -1, 2, 0]);
    let weight = machine.array_of(Element::F32, &[1.0, 2.0, 3.0, 4.0]);
    let y = rows_at(&machine, [&weight, &ids], [2, 2]).values();
    assert_eq!((&y[..2], &y[6..]), (&[3.0, 4.0][..], &[1.0, 2.0][..]));
    assert!(y[2..6].iter().all(|x| x.is_nan()));
    let grad = machine.array_of(Element::F32, &numbers(8, 2));
    let table = sums(&machine, [&grad, &ids], [2, 2]).values();
    let grad = numbers(8, 2);
    assert_eq!(table, [grad[6], grad[7], grad[0], grad[1]]);
}

#[test]
fn an_emulated_nan_reaches_the_row_of_its_token_alone() {
    let Some(machine) = Emulator::find() else { return };
    let grad = machine.array_of(Element::F32, &[1.0, f64::NAN, 1.0]);
    let table = sums(&machine, [&grad, &array_of_ids(&machine, &[0, 1, 0])], [2, 1]).values();
    assert!(table[0].to_bits() == 2f64.to_bits() && table[1].is_nan());
}
