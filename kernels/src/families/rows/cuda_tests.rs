//! `rows.cu` on the emulator: copies to the bit, sums against the reference in f64.

use burn::tensor::DType;

#[cfg(feature = "cuda")]
use super::super::tests::{Gather, Sum};
use super::super::{RowIndex, reference};
use super::{Index, gather, sum};
use crate::Cpu;
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::device_tests::{check_case, has_device};
use crate::machine::cuda::emulator::{Emulator, assert_as_reference};
use crate::testing::{host, numbers, shaped};

/// Rows of fewer numbers than a pack, of whole packs, and ragged; fewer and more than a block has threads.
const WIDTHS: [usize; 7] = [1, 3, 4, 12, 33, 100, 512];

/// Unsorted; rows 2 and 4 have no item.
const ROWS: [u32; 9] = [3, 0, 3, 1, 0, 3, 5, 3, 3];
const NUM_ROWS: usize = 6;

const BOTH: [Element; 2] = [Element::F32, Element::F64];

fn gathered(
    machine: &Emulator,
    element: Element,
    x: &[f64],
    index: &RowIndex,
    width: usize,
) -> Vec<f64> {
    let index = Index::upload(machine, index);
    gather(machine, &machine.array_of(element, x), &index, width).values()
}

fn summed(
    machine: &Emulator,
    element: Element,
    x: &[f64],
    index: &RowIndex,
    width: usize,
) -> Vec<f64> {
    let index = Index::upload(machine, index);
    sum(machine, &machine.array_of(element, x), &index, width).values()
}

#[test]
fn emulated_rows_are_copied_bit_for_bit() {
    let Some(machine) = Emulator::find() else { return };
    let index = RowIndex::new(&ROWS, NUM_ROWS);
    for width in WIDTHS {
        let x = numbers(NUM_ROWS * width, 1);
        let want: Vec<f64> =
            ROWS.iter().flat_map(|&row| x[row as usize * width..][..width].to_vec()).collect();
        for element in BOTH {
            assert_eq!(gathered(&machine, element, &x, &index, width), want, "{width} {element:?}");
        }
    }
}

#[test]
fn emulated_sums_match_the_reference() {
    let Some(machine) = Emulator::find() else { return };
    let index = RowIndex::new(&ROWS, NUM_ROWS);
    for width in WIDTHS {
        let x = numbers(ROWS.len() * width, 1);
        let got = BOTH.map(|element| summed(&machine, element, &x, &index, width));
        let plain =
            |dtype| host(reference::sum(shaped::<Cpu, 2>(&x, [ROWS.len(), width], dtype), &index));
        let plain = [DType::F32, DType::F64].map(plain);
        assert_as_reference([&got[0], &got[1]], [&plain[0], &plain[1]], ROWS.len());
    }
}

#[test]
fn the_order_of_an_emulated_sum_is_that_of_the_items() {
    let Some(machine) = Emulator::find() else { return };
    // 37 items in three rows: whole and ragged turns of the unrolled loop.
    let rows: Vec<u32> = (0..37).map(|item| item * 7 % 3).collect();
    let x = numbers(37, 1);
    let got = summed(&machine, Element::F32, &x, &RowIndex::new(&rows, 3), 1);
    #[expect(clippy::cast_possible_truncation, reason = "the kernel adds in f32")]
    let want = [0, 1, 2].map(|row| {
        let items = rows.iter().zip(&x).filter(|(of, _)| **of == row);
        f64::from(items.fold(0.0_f32, |sum, (_, &x)| sum + x as f32))
    });
    assert_eq!(got, want);
}

#[test]
fn no_items_sum_to_zero_and_nothing_is_launched_for_nothing_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    let none = |rows| RowIndex::new(&[], rows);
    for element in BOTH {
        assert_eq!(summed(&machine, element, &[], &none(2), 4), [0.0; 8]);
        assert!(summed(&machine, element, &[], &none(0), 3).is_empty());
        assert!(gathered(&machine, element, &numbers(6, 1), &none(2), 3).is_empty());
        assert!(gathered(&machine, element, &[], &RowIndex::new(&[0, 0], 1), 0).is_empty());
    }
}

#[test]
fn a_nan_spoils_its_own_row_only_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    let mut x = numbers(ROWS.len() * 4, 1);
    x[3 * 4 + 1] = f64::NAN;
    let got = summed(&machine, Element::F32, &x, &RowIndex::new(&ROWS, NUM_ROWS), 4);
    let nan: Vec<usize> = (0..got.len()).filter(|&at| got[at].is_nan()).collect();
    assert_eq!(nan, [5]);
}

#[cfg(feature = "cuda")]
#[test]
fn rows_and_their_sums_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    let many: Vec<u32> = (0..5000).map(|item| item * item % 301).collect();
    for (rows, num_rows) in [(&ROWS[..], NUM_ROWS), (&many, 301)] {
        for width in WIDTHS {
            let index = RowIndex::new(rows, num_rows);
            let name = format!("{} items of {width}", rows.len());
            let gather = Gather { index: index.clone(), width };
            check_case(&name, &gather, &[numbers(num_rows * width, 1)]);
            check_case(&name, &Sum { index, width }, &[numbers(rows.len() * width, 1)]);
        }
    }
}
