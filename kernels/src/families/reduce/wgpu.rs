//! Sums on wgpu: of columns, which other families need for gradients of weights, and of the squares of
//! a whole buffer, row by row until one number is left.

use burn::tensor::Tensor;

use super::ROW;
use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params, spread};

params! {
    /// Of both entry points.
    SumParams { rows: u32, width: u32 }
}

const FILE: Source = Source::file("families/reduce/reduce.wgsl", include_str!("reduce.wgsl"));

fn column_sums_shader() -> Shader {
    Shader::new::<SumParams>(FILE, "column_sums", 2).with_group_threads()
}

fn row_sums_shader(squared: bool) -> Shader {
    let shader = Shader::new::<SumParams>(FILE, "row_sums", 2).with_group_sums();
    shader.constant("SQUARED", squared.into()).constant("ROW", count(ROW))
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![column_sums_shader(), row_sums_shader(false), row_sums_shader(true)]
}

/// `[R, C] -> [C]`, zero where there is no row.
pub(crate) fn column_sums(x: &Array, [rows, columns]: [usize; 2]) -> Array {
    let sums = x.room([columns]);
    let params = SumParams { rows: count(rows), width: count(columns) };
    column_sums_shader().launch(&[x, &sums], &params, groups_of(columns));
    sums
}

/// [`sum_of_squares`](fn@crate::families::reduce::sum_of_squares).
pub(crate) fn sum_of_squares(x: Tensor<Wgpu, 1>) -> Tensor<Wgpu, 1> {
    // An empty buffer is one row without a number.
    sums_until_one(sums_of_rows(&Array::new(x), true))
}

/// Sum of all numbers, `[1]`.
pub(crate) fn sum(x: Tensor<Wgpu, 1>) -> Tensor<Wgpu, 1> {
    sums_until_one(sums_of_rows(&Array::new(x), false))
}

fn sums_until_one(mut x: Array) -> Tensor<Wgpu, 1> {
    while x.len() > 1 {
        x = sums_of_rows(&x, false);
    }
    x.tensor([1])
}

/// Sums of consecutive [`ROW`] numbers or their squares, at least one.
fn sums_of_rows(x: &Array, squared: bool) -> Array {
    let rows = x.len().div_ceil(ROW).max(1);
    let sums = x.room([rows]);
    let params = SumParams { rows: count(rows), width: count(x.len()) };
    row_sums_shader(squared).launch(&[x, &sums], &params, spread(rows));
    sums
}
