//! The harmonics on wgpu: kernels made from the recursion, a thread per edge.

use std::sync::LazyLock;

use burn::tensor::Tensor;

use super::{MAX_DEGREE, assert_degree, degree_of, emit};
use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, emitted, launch_emitted};
use crate::shape::assert_shape;

/// The kernels of one highest degree.
struct Shaders {
    forward: Shader,
    backward: Shader,
    second: Shader,
}

static SHADERS: LazyLock<Vec<Shaders>> = LazyLock::new(|| {
    let of = |degree| Shaders {
        forward: emitted(&emit::forward(degree)),
        backward: emitted(&emit::backward(degree)),
        second: emitted(&emit::second(degree)),
    };
    (0..=MAX_DEGREE).map(of).collect()
});

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    let all = |of: &Shaders| [of.forward.clone(), of.backward.clone(), of.second.clone()];
    SHADERS.iter().flat_map(all).collect()
}

/// [`spherical_harmonics`](fn@crate::families::spherical_harmonics::spherical_harmonics).
pub(crate) fn forward(vectors: Tensor<Wgpu, 2>, max_degree: usize) -> Tensor<Wgpu, 2> {
    assert_degree(max_degree);
    let edges = check("spherical_harmonics", &vectors);
    let vectors = Array::new(vectors);
    let shape = [edges, (max_degree + 1) * (max_degree + 1)];
    let out = vectors.room(shape);
    run(&SHADERS[max_degree].forward, &[&vectors, &out], edges);
    out.tensor(shape)
}

/// [`spherical_harmonics_backward`](fn@crate::families::spherical_harmonics::spherical_harmonics_backward).
pub(crate) fn backward(grad: Tensor<Wgpu, 2>, vectors: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 2> {
    let name = "spherical_harmonics_backward";
    let edges = check(name, &vectors);
    let max_degree = degree_of(name, grad.dims()[1]);
    assert_shape(name, "grad", [grad.dims()[0]], [edges], "`vectors` fixes E");
    let (grad, vectors) = (Array::new(grad), Array::new(vectors));
    let out = vectors.room([edges, 3]);
    run(&SHADERS[max_degree].backward, &[&grad, &vectors, &out], edges);
    out.tensor([edges, 3])
}

/// [`spherical_harmonics_second`](fn@crate::families::spherical_harmonics::spherical_harmonics_second).
pub(crate) fn second(
    along: Tensor<Wgpu, 2>,
    grad: Tensor<Wgpu, 2>,
    vectors: Tensor<Wgpu, 2>,
) -> (Tensor<Wgpu, 2>, Tensor<Wgpu, 2>) {
    let name = "spherical_harmonics_second";
    let edges = check(name, &vectors);
    let shape = grad.dims();
    let max_degree = degree_of(name, shape[1]);
    assert_shape(name, "grad", [shape[0]], [edges], "`vectors` fixes E");
    assert_shape(name, "along", along.dims(), [edges, 3], "`vectors` fixes E");
    let (along, grad, vectors) = (Array::new(along), Array::new(grad), Array::new(vectors));
    let (slopes, bends) = (vectors.room(shape), vectors.room([edges, 3]));
    let arrays = [&along, &grad, &vectors, &slopes, &bends];
    run(&SHADERS[max_degree].second, &arrays, edges);
    (slopes.tensor(shape), bends.tensor([edges, 3]))
}

fn check(operation: &str, vectors: &Tensor<Wgpu, 2>) -> usize {
    let [edges, _] = vectors.dims();
    assert_shape(operation, "vectors", vectors.dims(), [edges, 3], "vectors have 3 components");
    edges
}

/// A thread per edge.
fn run(shader: &Shader, arrays: &[&Array], edges: usize) {
    launch_emitted(shader, arrays, edges, edges.div_ceil(shader.workgroup[0] as usize));
}
