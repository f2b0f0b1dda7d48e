//! SiLU and its derivatives on wgpu, elementwise.

use burn::tensor::Tensor;

use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params};
use crate::shape::assert_shape;

params! {
    /// Of all entry points.
    SiluParams { count: u32 }
}

const FILE: Source = Source::file("families/silu/silu.wgsl", include_str!("silu.wgsl"));

/// The kernel of as many directions.
fn shader(directions: usize) -> Shader {
    let (entry, num_arrays) = [("silu", 2), ("silu_slope", 3), ("silu_bend", 4)][directions];
    Shader::new::<SiluParams>(FILE, entry, num_arrays)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    (0..3).map(shader).collect()
}

/// [`silu`](fn@crate::families::silu::silu).
pub(crate) fn forward(x: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 2> {
    run(x, vec![])
}

/// [`silu_slope`](fn@crate::families::silu::silu_slope).
pub(crate) fn slope(along: Tensor<Wgpu, 2>, x: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 2> {
    assert_shape("silu_slope", "direction", along.dims(), x.dims(), "`x` has that shape");
    run(x, vec![along])
}

/// [`silu_bend`](fn@crate::families::silu::silu_bend).
pub(crate) fn bend(a: Tensor<Wgpu, 2>, b: Tensor<Wgpu, 2>, x: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 2> {
    for direction in [&a, &b] {
        assert_shape("silu_bend", "direction", direction.dims(), x.dims(), "`x` has that shape");
    }
    run(x, vec![a, b])
}

fn run(x: Tensor<Wgpu, 2>, directions: Vec<Tensor<Wgpu, 2>>) -> Tensor<Wgpu, 2> {
    let shape = x.dims();
    let shader = shader(directions.len());
    let x = Array::new(x);
    let directions: Vec<Array> = directions.into_iter().map(Array::new).collect();
    let y = x.room(shape);
    let arrays: Vec<&Array> = [&x].into_iter().chain(&directions).chain([&y]).collect();
    shader.launch(&arrays, &SiluParams { count: count(x.len()) }, groups_of(x.len()));
    y.tensor(shape)
}
