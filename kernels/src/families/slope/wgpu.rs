//! Dot products and multiples of rows on wgpu; halves of curves and `follow` are Burn's.

use burn::tensor::Tensor;

use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, params, spread};

params! {
    /// Of both entry points.
    SlopeParams { rows: u32, width: u32 }
}

const FILE: Source = Source::file("families/slope/slope.wgsl", include_str!("slope.wgsl"));

/// Threads of a group: rows are a few hundred numbers long, so that each thread has some.
const THREADS: usize = 64;

fn dot_shader() -> Shader {
    shader("dot_rows").with_group_sums()
}

fn scale_shader() -> Shader {
    shader("scale_rows").with_group_threads()
}

fn shader(entry: &'static str) -> Shader {
    Shader::new::<SlopeParams>(FILE, entry, 3).workgroup([count(THREADS), 1, 1])
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![dot_shader(), scale_shader()]
}

/// [`dot_rows`](fn@crate::families::slope::dot_rows).
pub(crate) fn dot(a: Tensor<Wgpu, 2>, b: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 2> {
    let [rows, width] = a.dims();
    if width == 0 {
        return Tensor::zeros([rows, 1], &a.device());
    }
    let (a, b) = (Array::new(a), Array::new(b));
    let y = a.room([rows, 1]);
    dot_shader().launch(&[&a, &b, &y], &sizes([rows, width]), spread(rows));
    y.tensor([rows, 1])
}

/// [`scale_rows`](fn@crate::families::slope::scale_rows).
pub(crate) fn scale(scales: Tensor<Wgpu, 2>, a: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 2> {
    let shape = a.dims();
    let (scales, a) = (Array::new(scales), Array::new(a));
    let y = a.room(shape);
    scale_shader().launch(&[&a, &scales, &y], &sizes(shape), spread(a.len().div_ceil(THREADS)));
    y.tensor(shape)
}

fn sizes([rows, width]: [usize; 2]) -> SlopeParams {
    // Every number has a place of 32 bits.
    count(rows * width);
    SlopeParams { rows: count(rows), width: count(width) }
}
