//! Both forms of GELU and their gradients on wgpu, elementwise.

use burn::tensor::Tensor;

use super::GeluKind;
use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params};
use crate::shape::assert_shape;

params! {
    /// Of both entry points.
    GeluParams { count: u32 }
}

const FILE: Source = Source::file("families/gelu/gelu.wgsl", include_str!("gelu.wgsl"));

fn forward_shader(kind: GeluKind) -> Shader {
    Shader::new::<GeluParams>(FILE, "gelu", 2).constant("TANH", (kind == GeluKind::Tanh).into())
}

fn backward_shader(kind: GeluKind) -> Shader {
    let shader = Shader::new::<GeluParams>(FILE, "gelu_backward", 3);
    shader.constant("TANH", (kind == GeluKind::Tanh).into())
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    let kinds = [GeluKind::Tanh, GeluKind::Erf];
    kinds.into_iter().flat_map(|kind| [forward_shader(kind), backward_shader(kind)]).collect()
}

/// [`gelu`](fn@crate::families::gelu::gelu).
pub(crate) fn forward(x: Tensor<Wgpu, 2>, kind: GeluKind) -> Tensor<Wgpu, 2> {
    let shape = x.dims();
    let x = Array::new(x);
    let y = x.room(shape);
    let params = GeluParams { count: count(x.len()) };
    forward_shader(kind).launch(&[&x, &y], &params, groups_of(x.len()));
    y.tensor(shape)
}

/// [`gelu_backward`](fn@crate::families::gelu::gelu_backward).
pub(crate) fn backward(
    grad: Tensor<Wgpu, 2>,
    x: Tensor<Wgpu, 2>,
    kind: GeluKind,
) -> Tensor<Wgpu, 2> {
    let shape = x.dims();
    assert_shape("gelu_backward", "grad", grad.dims(), shape, "as `x`");
    let (grad, x) = (Array::new(grad), Array::new(x));
    let dx = x.room(shape);
    let params = GeluParams { count: count(x.len()) };
    backward_shader(kind).launch(&[&x, &grad, &dx], &params, groups_of(x.len()));
    dx.tensor(shape)
}
