//! The gradient of the table on the CPU: one addition of a row per token, in token order.

use burn::backend::Flex;
use burn::tensor::{Int, Tensor};

use super::reference::host_ids;
use crate::cpu::{Element, input, is_f64, output};
use crate::shape::assert_ids;

/// [`embedding_backward`](fn@crate::families::embedding::embedding_backward).
pub(crate) fn backward(
    grad: Tensor<Flex, 2>,
    ids: &Tensor<Flex, 1, Int>,
    num_rows: usize,
) -> Tensor<Flex, 2> {
    let ids = host_ids(ids);
    assert_ids("embedding_backward", "ids", &ids, num_rows, "the table");
    if is_f64("embedding_backward", &[grad.dtype()]) {
        summed::<f64>(grad, &ids, num_rows)
    } else {
        summed::<f32>(grad, &ids, num_rows)
    }
}

fn summed<T: Element>(grad: Tensor<Flex, 2>, ids: &[i64], num_rows: usize) -> Tensor<Flex, 2> {
    let [_, width] = grad.dims();
    let grad = input(grad);
    // Fresh zeros come from the system as they are; rows without a token are never touched here.
    let mut table = vec![T::ZERO; num_rows * width];
    for (&id, row) in ids.iter().zip(T::view(&grad).chunks_exact(width.max(1))) {
        let start = usize::try_from(id).unwrap_or_default() * width;
        for (sum, &number) in table[start..start + width].iter_mut().zip(row) {
            *sum = *sum + number;
        }
    }
    output(table, [num_rows, width])
}
