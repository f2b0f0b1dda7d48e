//! Rows on the CPU: one copy, or one addition, per row named.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::RowIndex;
use crate::cpu::{Element, input, is_f64, make_rows, output, rows_per_copy};

/// [`gather_rows`](fn@crate::families::rows::gather_rows).
pub(crate) fn gather(x: Tensor<Flex, 2>, indices: &RowIndex) -> Tensor<Flex, 2> {
    let [_, width] = x.dims();
    let double = is_f64("gather_rows", &[x.dtype()]);
    let x = input(x);
    let shape = [indices.num_items(), width];
    if double {
        output(gathered(f64::view(&x), width, indices), shape)
    } else {
        output(gathered(f32::view(&x), width, indices), shape)
    }
}

/// [`sum_rows`](fn@crate::families::rows::sum_rows).
pub(crate) fn sum(x: Tensor<Flex, 2>, indices: &RowIndex) -> Tensor<Flex, 2> {
    let [_, width] = x.dims();
    let double = is_f64("sum_rows", &[x.dtype()]);
    let x = input(x);
    let shape = [indices.num_rows(), width];
    if double {
        output(summed(f64::view(&x), width, indices), shape)
    } else {
        output(summed(f32::view(&x), width, indices), shape)
    }
}

fn gathered<T: Element>(x: &[T], width: usize, indices: &RowIndex) -> Vec<T> {
    make_rows(
        indices.num_items() * width,
        width,
        rows_per_copy(width),
        || (),
        |(), item, to| {
            let row = indices.rows()[item] as usize;
            to.copy_from_slice(&x[row * width..(row + 1) * width]);
        },
    )
}

fn summed<T: Element>(x: &[T], width: usize, indices: &RowIndex) -> Vec<T> {
    make_rows(
        indices.num_rows() * width,
        width,
        rows_per_copy(width),
        || (),
        |(), row, to| {
            for &item in indices.items_of(row) {
                let from = &x[item as usize * width..(item as usize + 1) * width];
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = *to + from;
                }
            }
        },
    )
}
