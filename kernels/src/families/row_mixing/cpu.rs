//! The map and its gradient on the CPU, f32 and f64: a row of the result at a time.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::{Entry, RowMixing};
use crate::cpu::{
    Element, Job, Lanes, Set, input, is_f64, make_rows, output, rows_per_copy, run, span,
};

/// [`mix_rows`](fn@crate::families::row_mixing::mix_rows).
pub(crate) fn forward(weights: Tensor<Flex, 3>, mixing: &RowMixing) -> Tensor<Flex, 3> {
    let channels = weights.dims()[2];
    let shape = [mixing.tables.len(), mixing.matrix.num_rows(), channels];
    let double = is_f64("mix_rows", &[weights.dtype()]);
    let weights = input(weights);
    let table = |at: usize| Some(mixing.tables[at]);
    let rows = &mixing.matrix.rows;
    if double {
        output(mixed(f64::view(&weights), mixing.matrix.num_columns(), rows, shape, table), shape)
    } else {
        output(mixed(f32::view(&weights), mixing.matrix.num_columns(), rows, shape, table), shape)
    }
}

/// [`mix_rows_backward`](fn@crate::families::row_mixing::mix_rows_backward).
pub(crate) fn backward(grad: Tensor<Flex, 3>, mixing: &RowMixing) -> Tensor<Flex, 3> {
    let channels = grad.dims()[2];
    let shape = [mixing.num_tables, mixing.matrix.num_columns(), channels];
    let double = is_f64("mix_rows", &[grad.dtype()]);
    let grad = input(grad);
    let table = |at: usize| mixing.tables.iter().position(|&wanted| wanted == at);
    let columns = &mixing.matrix.columns;
    if double {
        output(mixed(f64::view(&grad), mixing.matrix.num_rows(), columns, shape, table), shape)
    } else {
        output(mixed(f32::view(&grad), mixing.matrix.num_rows(), columns, shape, table), shape)
    }
}

/// `[tables, rows, C]`, of tables of `num_from` rows; `table` names the one to read, if any.
fn mixed<T: Element>(
    from: &[T],
    num_from: usize,
    rows: &[Vec<Entry>],
    [tables, num_rows, channels]: [usize; 3],
    table: impl Fn(usize) -> Option<usize> + Sync,
) -> Vec<T> {
    let entries: usize = rows.iter().map(Vec::len).sum();
    let row_work = channels * (1 + entries / rows.len().max(1));
    make_rows(
        tables * num_rows * channels,
        channels,
        rows_per_copy(row_work),
        || (),
        |(), at, out| {
            if let Some(table) = table(at / num_rows) {
                let from = &from[table * num_from * channels..][..num_from * channels];
                run(Row { from, entries: &rows[at % num_rows], out });
            }
        },
    )
}

/// One row of the result.
struct Row<'a, T> {
    from: &'a [T],
    entries: &'a [Entry],
    /// `[C]`
    out: &'a mut [T],
}

impl<T: Element> Job for Row<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let (channels, lanes) = (self.out.len(), T::Pack::<S>::LANES);
        for start in (0..channels).step_by(lanes) {
            let mut sum = T::Pack::<S>::zero();
            for &(row, value) in self.entries {
                let first = row as usize * channels;
                let numbers = &self.from[span(first + start, lanes, first + channels)];
                sum = T::Pack::<S>::load(numbers).mul_add(T::Pack::<S>::of(value), sum);
            }
            sum.store(&mut self.out[span(start, lanes, channels)]);
        }
    }
}
