//! The rotation on wgpu, a thread per pair of features.

use burn::tensor::Tensor;

use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params};

params! {
    /// Of the one entry point.
    RotaryParams { pairs: u32, heads: u32, half: u32 }
}

const FILE: Source = Source::file("families/rotary/rotary.wgsl", include_str!("rotary.wgsl"));

fn shader() -> Shader {
    Shader::new::<RotaryParams>(FILE, "rotary", 4)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![shader()]
}

/// [`rotary`](fn@crate::families::rotary::rotary).
pub(crate) fn forward(
    x: Tensor<Wgpu, 3>,
    cos: Tensor<Wgpu, 2>,
    sin: Tensor<Wgpu, 2>,
) -> Tensor<Wgpu, 3> {
    let shape = x.dims();
    let [_, heads, width] = shape;
    let half = width / 2;
    let (x, cos, sin) = (Array::new(x), Array::new(cos), Array::new(sin));
    let y = x.room(shape);
    let pairs = x.len() / 2;
    let params = RotaryParams { pairs: count(pairs), heads: count(heads), half: count(half) };
    shader().launch(&[&x, &cos, &sin, &y], &params, groups_of(pairs));
    y.tensor(shape)
}
