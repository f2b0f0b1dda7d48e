//! The sum of squares at sizes around its row length.

use burn::tensor::DType;

use super::ROW;
use crate::Cpu;
use crate::families::reduce;
use crate::families::refusals_tests::Refusal;
use crate::oracle::assert_within;
use crate::testing::{flat, host, numbers};

fn sum(values: &[f64], dtype: DType) -> f64 {
    host(reduce::sum_of_squares(flat::<Cpu>(values, dtype)))[0]
}

#[test]
fn the_sum_matches_plain_loops_at_every_tail() {
    for count in [0, 1, 7, ROW, ROW + 1, 3 * ROW - 1] {
        let x = numbers(count, 1);
        let exact: f64 = x.iter().map(|x| x * x).sum();
        // Every term is positive, so each rounding costs at most epsilon of the total: two
        // sums of at most a row, a square, and as many additions in the plain loop.
        let roundings = (2 * ROW + 1 + count) as f64;
        assert_within(&[sum(&x, DType::F64)], &[exact], |_| roundings * f64::EPSILON * exact);
        let narrow = (2 * ROW + 1) as f64 * f64::from(f32::EPSILON);
        assert_within(&[sum(&x, DType::F32)], &[exact], |_| narrow * exact);
    }
}

#[test]
fn a_long_buffer_gives_the_same_bits_every_time() {
    let x = numbers(ROW * 40 + 11, 2);
    let first = sum(&x, DType::F32);
    assert!((0..4).all(|_| sum(&x, DType::F32).to_bits() == first.to_bits()));
}

#[test]
fn a_nan_anywhere_makes_the_sum_nan() {
    let mut x = numbers(ROW + 5, 3);
    x[ROW + 2] = f64::NAN;
    assert!(sum(&x, DType::F32).is_nan());
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::any_shape;
    vec![any_shape("sum_of_squares")]
}
