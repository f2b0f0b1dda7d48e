//! Sum of squares on the CPU: rows on threads, then the sums of rows again.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::ROW;
use crate::cpu::{Element, Job, Lanes, Set, input, is_f64, output, run};

/// Rows below which all stay on the calling thread.
const FEW_ROWS: usize = 8;

/// [`sum_of_squares`](fn@crate::families::reduce::sum_of_squares).
pub(crate) fn sum_of_squares(x: Tensor<Flex, 1>) -> Tensor<Flex, 1> {
    let double = is_f64("sum_of_squares", &[x.dtype()]);
    let x = input(x);
    if double {
        output(vec![squares(f64::view(&x))], [1])
    } else {
        output(vec![squares(f32::view(&x))], [1])
    }
}

fn squares<T: Element>(x: &[T]) -> T {
    let mut sums = per_row(x, true);
    while sums.len() > 1 {
        sums = per_row(&sums, false);
    }
    sums.first().copied().unwrap_or(T::ZERO)
}

/// A sum per row of [`ROW`] numbers.
fn per_row<T: Element>(x: &[T], squared: bool) -> Vec<T> {
    let sum = |row: &[T]| {
        let mut sum = T::ZERO;
        run(RowSum { row, squared, sum: &mut sum });
        sum
    };
    if x.len() < FEW_ROWS * ROW {
        x.chunks(ROW).map(sum).collect()
    } else {
        x.par_chunks(ROW).map(sum).collect()
    }
}

struct RowSum<'a, T> {
    row: &'a [T],
    squared: bool,
    sum: &'a mut T,
}

impl<T: Element> Job for RowSum<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        // Two chains, so that additions overlap.
        let mut sums = [T::Pack::<S>::zero(); 2];
        for (at, numbers) in self.row.chunks(T::Pack::<S>::LANES).enumerate() {
            let x = T::Pack::<S>::load(numbers);
            let sum = sums[at % 2];
            sums[at % 2] = if self.squared { x.mul_add(x, sum) } else { sum.add(x) };
        }
        *self.sum = sums[0].add(sums[1]).sum();
    }
}
