//! Rows and sums of rows on an adapter against the reference in f64.

use super::RowIndex;
use super::tests::{Gather, NUM_ROWS, ROWS, Sum, index};
use crate::machine::wgpu::testing::{adapter_is_missing, check_gradients, check_values, values};
use crate::testing::numbers;

#[test]
fn rows_and_sums_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for width in [1, 3, 4, 33, 100, 512] {
        let (gather, sum) = (Gather { index: index(), width }, Sum { index: index(), width });
        check_values(&gather, &[numbers(NUM_ROWS * width, 1)], 0.0);
        check_values(&sum, &[numbers(ROWS.len() * width, 1)], 0.0);
    }
    check_gradients(&Gather { index: index(), width: 2 }, &[numbers(NUM_ROWS * 2, 1)], 0.0);
    check_gradients(&Sum { index: index(), width: 4 }, &[numbers(ROWS.len() * 4, 1)], 0.0);
}

#[test]
fn long_segments_sum_in_the_order_of_their_items_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let rows: Vec<u32> = (0..900u32).map(|item| item * 7 % 3).collect();
    let x = numbers(900, 1);
    let got = values(&Sum { index: RowIndex::new(&rows, 3), width: 1 }, std::slice::from_ref(&x));
    #[expect(clippy::cast_possible_truncation, reason = "the kernel adds in f32")]
    let want = [0, 1, 2].map(|row| {
        let items = rows.iter().zip(&x).filter(|(of, _)| **of == row);
        f64::from(items.fold(0.0_f32, |sum, (_, &x)| sum + x as f32))
    });
    assert_eq!(got.concat(), want);
}

#[test]
fn no_items_give_zero_rows_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let none = |rows| RowIndex::new(&[], rows);
    assert_eq!(values(&Sum { index: none(2), width: 3 }, &[vec![]]), [vec![0.0; 6]]);
    assert!(values(&Sum { index: none(0), width: 3 }, &[vec![]]).concat().is_empty());
    assert!(values(&Gather { index: none(2), width: 3 }, &[numbers(6, 1)]).concat().is_empty());
}

#[test]
fn a_nan_spoils_its_own_row_only_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let mut x = numbers(ROWS.len() * 4, 1);
    x[3 * 4 + 1] = f64::NAN;
    let got = values(&Sum { index: index(), width: 4 }, &[x]).concat();
    let nan: Vec<usize> = (0..got.len()).filter(|&at| got[at].is_nan()).collect();
    assert_eq!(nan, [5]);
}
