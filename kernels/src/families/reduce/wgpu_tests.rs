//! The sums on an adapter, at sizes around their row length.

use burn::tensor::DType;

use super::ROW;
use super::gpu::column_sums;
use crate::Wgpu;
use crate::families::reduce;
use crate::machine::wgpu::testing::adapter_is_missing;
use crate::machine::{Gpu, Tensors};
use crate::oracle::assert_within;
use crate::testing::{flat, host, numbers, shaped};

fn sum(values: &[f64]) -> f64 {
    host(reduce::sum_of_squares(flat::<Wgpu>(values, DType::F32)))[0]
}

#[test]
fn the_sum_of_squares_on_an_adapter_matches_plain_loops_at_every_tail() {
    if adapter_is_missing() {
        return;
    }
    for count in [0, 1, 2, 255, 257, ROW, ROW + 1, 3 * ROW - 1, 300 * ROW + 5] {
        let x = numbers(count, 1);
        let exact: f64 = x.iter().map(|x| x * x).sum();
        // Every term is positive, so each rounding costs at most epsilon of the total: a square, 16
        // terms of a thread and 8 levels of the tree, for at most three rows of rows.
        let roundings = 1.0 + 3.0 * (16.0 + 8.0);
        let epsilon = f64::from(f32::EPSILON);
        assert_within(&[sum(&x)], &[exact], |_| roundings * epsilon * exact);
    }
}

#[test]
fn a_long_buffer_gives_the_same_bits_every_time_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let x = numbers(ROW * 40 + 11, 2);
    let first = sum(&x);
    assert!((0..4).all(|_| sum(&x).to_bits() == first.to_bits()));
}

#[test]
fn a_nan_anywhere_makes_the_sum_nan_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let mut x = numbers(ROW + 5, 3);
    x[ROW + 2] = f64::NAN;
    assert!(sum(&x).is_nan());
}

#[test]
fn columns_are_summed_in_the_order_of_their_rows() {
    if adapter_is_missing() {
        return;
    }
    for [rows, columns] in [[1, 1], [3, 257], [100, 3], [0, 5]] {
        let x = numbers(rows * columns, 5);
        let x_there = shaped::<Wgpu, 2>(&x, [rows, columns], DType::F32);
        let got = host(Wgpu::on(&x_there.device(), |machine| {
            let sums = column_sums(machine, &machine.input(x_there), [rows, columns]);
            machine.tensor(sums, [columns])
        }));
        #[expect(clippy::cast_possible_truncation, reason = "the numbers are exact in f32")]
        let of = |c: usize| (0..rows).map(|r| x[r * columns + c] as f32).fold(0.0, |a, b| a + b);
        let want: Vec<f64> = (0..columns).map(|c| f64::from(of(c))).collect();
        assert_eq!(got, want);
    }
}
