//! Spherical harmonics.

use burn::tensor::Tensor;

use crate::Cuda;
use crate::families::spherical_harmonics;
use crate::families::spherical_harmonics::{assert_degree, degree_of};
use crate::machine::cuda::device::on;
use crate::shape::assert_shape;

/// E, of vectors `[E, 3]`.
fn num_edges(operation: &str, vectors: &Tensor<Cuda, 2>) -> usize {
    let [edges, components] = vectors.dims();
    assert_shape(operation, "vectors", [edges, components], [edges, 3], "they are [E, 3]");
    edges
}

/// [`spherical_harmonics`](fn@crate::families::spherical_harmonics::spherical_harmonics).
pub(crate) fn forward(vectors: Tensor<Cuda, 2>, max_degree: usize) -> Tensor<Cuda, 2> {
    assert_degree(max_degree);
    let edges = num_edges("spherical_harmonics", &vectors);
    on(&vectors.device(), |machine| {
        let y = spherical_harmonics::cuda::forward(machine, &machine.input(vectors), max_degree);
        machine.tensor(y, [edges, (max_degree + 1) * (max_degree + 1)])
    })
}

/// [`spherical_harmonics_backward`](fn@crate::families::spherical_harmonics::spherical_harmonics_backward).
pub(crate) fn backward(grad: Tensor<Cuda, 2>, vectors: Tensor<Cuda, 2>) -> Tensor<Cuda, 2> {
    let name = "spherical_harmonics_backward";
    let (edges, [rows, columns]) = (num_edges(name, &vectors), grad.dims());
    let max_degree = degree_of(name, columns);
    assert_shape(name, "grad", [rows], [edges], "`vectors` fixes E");
    on(&vectors.device(), |machine| {
        let arrays = [machine.input(grad), machine.input(vectors)];
        let dv = spherical_harmonics::cuda::backward(machine, arrays.each_ref(), max_degree);
        machine.tensor(dv, [edges, 3])
    })
}

/// [`spherical_harmonics_second`](fn@crate::families::spherical_harmonics::spherical_harmonics_second).
pub(crate) fn second(
    along: Tensor<Cuda, 2>,
    grad: Tensor<Cuda, 2>,
    vectors: Tensor<Cuda, 2>,
) -> (Tensor<Cuda, 2>, Tensor<Cuda, 2>) {
    let name = "spherical_harmonics_second";
    let (edges, [rows, columns]) = (num_edges(name, &vectors), grad.dims());
    let max_degree = degree_of(name, columns);
    assert_shape(name, "grad", [rows], [edges], "`vectors` fixes E");
    assert_shape(name, "along", along.dims(), [edges, 3], "as `vectors`");
    on(&vectors.device(), |machine| {
        let arrays = [machine.input(along), machine.input(grad), machine.input(vectors)];
        let (slopes, bends) =
            spherical_harmonics::cuda::second(machine, arrays.each_ref(), max_degree);
        (machine.tensor(slopes, [edges, columns]), machine.tensor(bends, [edges, 3]))
    })
}
