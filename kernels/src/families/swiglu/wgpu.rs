//! The gated activation and its gradients on wgpu, elementwise.

use burn::tensor::Tensor;

use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params};
use crate::shape::assert_shape;

params! {
    /// Of both entry points.
    SwigluParams { count: u32 }
}

const FILE: Source = Source::file("families/swiglu/swiglu.wgsl", include_str!("swiglu.wgsl"));

fn forward_shader() -> Shader {
    Shader::new::<SwigluParams>(FILE, "swiglu", 3)
}

fn backward_shader() -> Shader {
    Shader::new::<SwigluParams>(FILE, "swiglu_backward", 5)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![forward_shader(), backward_shader()]
}

/// [`swiglu`](fn@crate::families::swiglu::swiglu).
pub(crate) fn forward(gate: Tensor<Wgpu, 2>, up: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 2> {
    let shape = gate.dims();
    assert_shape("swiglu", "up", up.dims(), shape, "`gate` has that shape");
    let (gate, up) = (Array::new(gate), Array::new(up));
    let y = gate.room(shape);
    let params = SwigluParams { count: count(y.len()) };
    forward_shader().launch(&[&gate, &up, &y], &params, groups_of(y.len()));
    y.tensor(shape)
}

/// [`swiglu_backward`](fn@crate::families::swiglu::swiglu_backward).
pub(crate) fn backward(
    grad: Tensor<Wgpu, 2>,
    gate: Tensor<Wgpu, 2>,
    up: Tensor<Wgpu, 2>,
) -> (Tensor<Wgpu, 2>, Tensor<Wgpu, 2>) {
    let shape = gate.dims();
    assert_shape("swiglu_backward", "up", up.dims(), shape, "`gate` has that shape");
    assert_shape("swiglu_backward", "grad", grad.dims(), shape, "`gate` has that shape");
    let (grad, gate, up) = (Array::new(grad), Array::new(gate), Array::new(up));
    let (dgate, dup) = (gate.room(shape), gate.room(shape));
    let params = SwigluParams { count: count(gate.len()) };
    let arrays = [&gate, &up, &grad, &dgate, &dup];
    backward_shader().launch(&arrays, &params, groups_of(gate.len()));
    (dgate.tensor(shape), dup.tensor(shape))
}
