//! Rows and sums of rows on wgpu: a thread per pack of the result.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::RowIndex;
use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params};
use crate::shape::assert_shape;

params! {
    /// Of both entry points.
    RowParams { count: u32, packs: u32 }
}

const FILE: Source = Source::file("families/rows/rows.wgsl", include_str!("rows.wgsl"));
/// Rows whose width is no multiple of four.
const NUMBERS: &str = "alias Pack = f32;";
/// All others.
const FOURS: &str = "alias Pack = vec4<f32>;";

fn shader(entry: &'static str, num_arrays: u32, pack: &'static str) -> Shader {
    Shader::new::<RowParams>(FILE, entry, num_arrays).after(pack)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    let both = |pack| [shader("gather_rows", 3, pack), shader("sum_rows", 4, pack)];
    [NUMBERS, FOURS].into_iter().flat_map(both).collect()
}

/// An index in the memory of a device.
#[derive(Debug)]
pub(crate) struct Index {
    rows: Array,
    starts: Array,
    items: Array,
}

impl Index {
    /// The index on the device of `like`, uploaded when first asked for.
    pub(crate) fn on(like: &Array, index: &RowIndex) -> Arc<Self> {
        index.memo().get(like.device_key(), || Self {
            rows: like.table(index.rows()),
            starts: like.table(index.starts()),
            items: like.table(index.items()),
        })
    }

    /// Where the items of each row start.
    pub(crate) fn starts(&self) -> &Array {
        &self.starts
    }

    /// The items sorted by row.
    pub(crate) fn items(&self) -> &Array {
        &self.items
    }
}

/// [`gather_rows`](fn@crate::families::rows::gather_rows).
pub(crate) fn gather(x: Tensor<Wgpu, 2>, indices: &RowIndex) -> Tensor<Wgpu, 2> {
    let [rows, width] = x.dims();
    assert_shape("gather_rows", "x", [rows], [indices.num_rows()], "the index has N rows");
    let shape = [indices.num_items(), width];
    let x = Array::new(x);
    let y = x.room(shape);
    if y.len() > 0 {
        let index = Index::on(&x, indices);
        let (pack, params) = packs(y.len(), width);
        let arrays = [&x, &index.rows, &y];
        shader("gather_rows", 3, pack).launch(&arrays, &params, groups_of(params.count as usize));
    }
    y.tensor(shape)
}

/// [`sum_rows`](fn@crate::families::rows::sum_rows).
pub(crate) fn sum(x: Tensor<Wgpu, 2>, indices: &RowIndex) -> Tensor<Wgpu, 2> {
    let [items, width] = x.dims();
    assert_shape("sum_rows", "x", [items], [indices.num_items()], "the index has E items");
    if items == 0 {
        // An array of no numbers cannot be bound.
        return Tensor::zeros([indices.num_rows(), width], &x.device());
    }
    sum_array(&Array::new(x), indices, width).tensor([indices.num_rows(), width])
}

/// The same of an array of at least one row.
pub(crate) fn sum_array(x: &Array, indices: &RowIndex, width: usize) -> Array {
    let y = x.room([indices.num_rows(), width]);
    if y.len() > 0 {
        let index = Index::on(x, indices);
        let (pack, params) = packs(y.len(), width);
        let arrays = [x, &index.starts, &index.items, &y];
        shader("sum_rows", 4, pack).launch(&arrays, &params, groups_of(params.count as usize));
    }
    y
}

/// How rows of `width` are packed, and the numbers of a launch for a result of `len`.
fn packs(len: usize, width: usize) -> (&'static str, RowParams) {
    let (pack, size) = if width.is_multiple_of(4) { (FOURS, 4) } else { (NUMBERS, 1) };
    (pack, RowParams { count: count(len / size), packs: count(width / size) })
}
