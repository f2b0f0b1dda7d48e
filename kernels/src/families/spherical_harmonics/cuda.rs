//! The harmonics on CUDA: kernels made from the recursion, a thread per edge.

use std::sync::LazyLock;

use super::{MAX_DEGREE, emit};
use crate::machine::cuda::{Array, Emitted, Machine};

/// Forward, backward and both along a direction, by highest degree.
static SOURCES: LazyLock<Vec<Vec<Emitted>>> = LazyLock::new(|| {
    let of = |degree| {
        let kernels = [emit::forward(degree), emit::backward(degree), emit::second(degree)];
        Emitted::all(&format!("spherical_harmonics/degree-{degree}"), &kernels)
    };
    (0..=MAX_DEGREE).map(of).collect()
});

/// `Y`, `[E, (L + 1)^2]`.
pub(crate) fn forward<M: Machine>(machine: &M, vectors: &M::Array, max_degree: usize) -> M::Array {
    let edges = vectors.len() / 3;
    let y = machine.array(vectors.element(), edges * (max_degree + 1) * (max_degree + 1));
    run(machine, &SOURCES[max_degree][0], [&[vectors], &[&y]], edges);
    y
}

/// `dv`, `[E, 3]`.
pub(crate) fn backward<M: Machine>(
    machine: &M,
    [grad, vectors]: [&M::Array; 2],
    max_degree: usize,
) -> M::Array {
    let dv = machine.array(vectors.element(), vectors.len());
    run(machine, &SOURCES[max_degree][1], [&[grad, vectors], &[&dv]], vectors.len() / 3);
    dv
}

/// Along `w`: the change of `Y`, `[E, (L + 1)^2]`, and of `dv`, `[E, 3]`.
pub(crate) fn second<M: Machine>(
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

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
