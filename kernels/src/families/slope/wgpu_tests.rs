//! Dot products and multiples of rows on an adapter against the reference in f64.

use super::tests::{Dot, Scale};
use crate::machine::wgpu::testing::{adapter_is_missing, check_gradients, check_values, values};
use crate::testing::numbers;

/// Fewer numbers than threads, as many, one more; two orders of magnitude of rows and columns.
const SIZES: [[usize; 2]; 6] = [[1, 1], [5, 37], [3, 64], [2, 65], [300, 3], [7, 1280]];

#[test]
fn dots_and_multiples_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for [rows, width] in SIZES {
        let [a, b] = [1, 2].map(|seed| numbers(rows * width, seed));
        check_values(&Dot { width }, &[a.clone(), b], 0.0);
        check_values(&Scale { width }, &[numbers(rows, 3), a], 0.0);
    }
    let [a, b] = [1, 2].map(|seed| numbers(9 * 65, seed));
    check_gradients(&Dot { width: 65 }, &[a.clone(), b], 0.0);
    check_gradients(&Scale { width: 65 }, &[numbers(9, 3), a], 0.0);
}

#[test]
fn a_nan_spoils_its_own_dot_product_only_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let mut a = numbers(3 * 70, 1);
    a[139] = f64::NAN;
    let got = values(&Dot { width: 70 }, &[a, numbers(3 * 70, 2)]).concat();
    assert_eq!(got.iter().map(|x| x.is_nan()).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn no_rows_give_no_dots_and_no_multiples_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    assert!(values(&Dot { width: 3 }, &[vec![], vec![]]).concat().is_empty());
    assert!(values(&Scale { width: 3 }, &[vec![], vec![]]).concat().is_empty());
}
