//! The rotation on wgpu, a thread per pair of features.

use burn::tensor::Tensor;

use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params};
use crate::shape::assert_shape;

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

/// [`Kernels::rotary`](crate::Kernels::rotary).
pub(crate) fn forward(
    x: Tensor<Wgpu, 3>,
    cos: Tensor<Wgpu, 2>,
    sin: Tensor<Wgpu, 2>,
) -> Tensor<Wgpu, 3> {
    let shape = x.dims();
    let [tokens, heads, width] = shape;
    assert!(width % 2 == 0, "rotary: the head width is {width} but must be even");
    let half = width / 2;
    assert_shape("rotary", "cos", cos.dims(), [tokens, half], "`x` fixes N and D");
    assert_shape("rotary", "sin", sin.dims(), [tokens, half], "`x` fixes N and D");
    let (x, cos, sin) = (Array::new(x), Array::new(cos), Array::new(sin));
    let y = x.room(shape);
    let pairs = x.len() / 2;
    let params = RotaryParams { pairs: count(pairs), heads: count(heads), half: count(half) };
    shader().launch(&[&x, &cos, &sin, &y], &params, groups_of(pairs));
    y.tensor(shape)
}
