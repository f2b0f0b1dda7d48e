//! The harmonics on GPUs: kernels made from the recursion, a thread per edge.

use std::sync::LazyLock;

use burn::tensor::Tensor;

use super::{MAX_DEGREE, degree_of, emit};
use crate::machine::{Array, Emitted, Gpu, Machine, Tensors};

/// Forward, backward and both along a direction, by highest degree.
static SOURCES: LazyLock<Vec<Vec<Emitted>>> = LazyLock::new(|| {
    let of = |degree| {
        let kernels = [emit::forward(degree), emit::backward(degree), emit::second(degree)];
        Emitted::all(&format!("spherical_harmonics/degree-{degree}"), &kernels)
    };
    (0..=MAX_DEGREE).map(of).collect()
});

/// `Y`, `[E, (L + 1)^2]`.
fn forward<M: Machine>(machine: &M, vectors: &M::Array, max_degree: usize) -> M::Array {
    let edges = vectors.len() / 3;
    let y = machine.array(vectors.element(), edges * (max_degree + 1) * (max_degree + 1));
    run(machine, &SOURCES[max_degree][0], [&[vectors], &[&y]], edges);
    y
}

/// `dv`, `[E, 3]`.
fn backward<M: Machine>(
    machine: &M,
    [grad, vectors]: [&M::Array; 2],
    max_degree: usize,
) -> M::Array {
    let dv = machine.array(vectors.element(), vectors.len());
    run(machine, &SOURCES[max_degree][1], [&[grad, vectors], &[&dv]], vectors.len() / 3);
    dv
}

/// Along `w`: the change of `Y`, `[E, (L + 1)^2]`, and of `dv`, `[E, 3]`.
fn second<M: Machine>(
    machine: &M,
    [along, grad, vectors]: [&M::Array; 3],
    max_degree: usize,
) -> (M::Array, M::Array) {
    let slopes = machine.array(grad.element(), grad.len());
    let bends = machine.array(vectors.element(), vectors.len());
    let arrays: [&[&M::Array]; 2] = [&[along, grad, vectors], &[&slopes, &bends]];
    run(machine, &SOURCES[max_degree][2], arrays, vectors.len() / 3);
    (slopes, bends)
}

fn run<M: Machine>(machine: &M, kernel: &Emitted, arrays: [&[&M::Array]; 2], edges: usize) {
    kernel.launch(machine, arrays, edges, edges.div_ceil(kernel.threads()));
}

/// [`spherical_harmonics`](fn@super::spherical_harmonics).
pub(crate) fn harmonics<B: Gpu>(vectors: Tensor<B, 2>, max_degree: usize) -> Tensor<B, 2> {
    let shape = [vectors.dims()[0], (max_degree + 1) * (max_degree + 1)];
    B::on(&vectors.device(), |machine| {
        machine.tensor(forward(machine, &machine.input(vectors), max_degree), shape)
    })
}

/// [`spherical_harmonics_backward`](fn@super::spherical_harmonics_backward).
pub(crate) fn harmonics_backward<B: Gpu>(
    grad: Tensor<B, 2>,
    vectors: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let (shape, max_degree) =
        (vectors.dims(), degree_of("spherical_harmonics_backward", grad.dims()[1]));
    B::on(&vectors.device(), |machine| {
        let arrays = [machine.input(grad), machine.input(vectors)];
        machine.tensor(backward(machine, arrays.each_ref(), max_degree), shape)
    })
}

/// [`spherical_harmonics_second`](fn@super::spherical_harmonics_second).
pub(crate) fn harmonics_second<B: Gpu>(
    along: Tensor<B, 2>,
    grad: Tensor<B, 2>,
    vectors: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let (of_slopes, of_bends) = (grad.dims(), vectors.dims());
    let max_degree = degree_of("spherical_harmonics_second", of_slopes[1]);
    B::on(&vectors.device(), |machine| {
        let arrays = [along, grad, vectors].map(|x| machine.input(x));
        let (slopes, bends) = second(machine, arrays.each_ref(), max_degree);
        (machine.tensor(slopes, of_slopes), machine.tensor(bends, of_bends))
    })
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        for degree in 0..=MAX_DEGREE {
            let v = machine.numbers(3);
            let y = forward(machine, &v, degree);
            backward(machine, [&y, &v], degree);
            second(machine, [&v, &y, &v], degree);
        }
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
