//! The families of atoms on tensors of CUDA: shapes are checked, tables are brought to the device once, and
//! the host side of the family puts the launches together.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_cuda::CudaDevice;

use super::device::{DeviceArray, DeviceMachine, on};
use crate::rows::cuda::Index;
use crate::shape::assert_shape;
use crate::spherical_harmonics::{assert_degree, degree_of};
use crate::{
    ContractionProblem, ConvolutionProblem, Cuda, RowIndex, contraction, convolution, rows,
    spherical_harmonics,
};

/// What tables are kept by on a device.
fn key(device: &CudaDevice) -> u64 {
    device.index as u64
}

fn index(machine: &DeviceMachine, device: &CudaDevice, of: &RowIndex) -> Arc<Index<DeviceArray>> {
    of.memo().get(key(device), || Index::upload(machine, of))
}

/// [`Kernels::gather_rows`](crate::Kernels::gather_rows).
pub(crate) fn gather(x: Tensor<Cuda, 2>, indices: &RowIndex) -> Tensor<Cuda, 2> {
    let ([rows, width], device) = (x.dims(), x.device());
    assert_shape("gather_rows", "x", [rows], [indices.num_rows()], "the index fixes N");
    on(&device, |machine| {
        let index = index(machine, &device, indices);
        let y = rows::cuda::gather(machine, &machine.input(x), &index, width);
        machine.tensor(y, [indices.num_items(), width])
    })
}

/// [`Kernels::sum_rows`](crate::Kernels::sum_rows).
pub(crate) fn sum(x: Tensor<Cuda, 2>, indices: &RowIndex) -> Tensor<Cuda, 2> {
    let ([items, width], device) = (x.dims(), x.device());
    assert_shape("sum_rows", "x", [items], [indices.num_items()], "the index fixes E");
    on(&device, |machine| {
        let index = index(machine, &device, indices);
        let y = rows::cuda::sum(machine, &machine.input(x), &index, width);
        machine.tensor(y, [indices.num_rows(), width])
    })
}

/// E, of vectors `[E, 3]`.
fn num_edges(operation: &str, vectors: &Tensor<Cuda, 2>) -> usize {
    let [edges, components] = vectors.dims();
    assert_shape(operation, "vectors", [edges, components], [edges, 3], "they are [E, 3]");
    edges
}

/// [`Kernels::spherical_harmonics`](crate::Kernels::spherical_harmonics).
pub(crate) fn harmonics(vectors: Tensor<Cuda, 2>, max_degree: usize) -> Tensor<Cuda, 2> {
    assert_degree(max_degree);
    let edges = num_edges("spherical_harmonics", &vectors);
    on(&vectors.device(), |machine| {
        let y = spherical_harmonics::cuda::forward(machine, &machine.input(vectors), max_degree);
        machine.tensor(y, [edges, (max_degree + 1) * (max_degree + 1)])
    })
}

/// [`Kernels::spherical_harmonics_backward`](crate::Kernels::spherical_harmonics_backward).
pub(crate) fn harmonics_backward(
    grad: Tensor<Cuda, 2>,
    vectors: Tensor<Cuda, 2>,
) -> Tensor<Cuda, 2> {
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

/// [`Kernels::spherical_harmonics_second`](crate::Kernels::spherical_harmonics_second).
pub(crate) fn harmonics_second(
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

/// Runs a form of the convolution for `channels` channels.
fn convolved<const D: usize>(
    problem: &ConvolutionProblem,
    device: &CudaDevice,
    channels: usize,
    shape: [usize; D],
    form: impl FnOnce(&convolution::cuda::Call<'_, DeviceMachine>) -> DeviceArray,
) -> Tensor<Cuda, D> {
    on(device, |machine| {
        let upload = || convolution::cuda::Graph::upload(machine, &problem.graph);
        let graph = problem.graph.memo().get(key(device), upload);
        let call = convolution::cuda::Call { machine, problem, graph: &graph, channels };
        machine.tensor(form(&call), shape)
    })
}

/// [`Kernels::convolution`](crate::Kernels::convolution).
pub(crate) fn convolution(
    features: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let (h, y, r) = (features.dims(), harmonics.dims(), radial.dims());
    let sizes = problem.check("convolution", None, Some(h), Some(y), Some(r));
    let shape = [sizes.num_nodes, problem.paths.num_outputs(), sizes.channels];
    convolved(problem, &features.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(features), machine.input(harmonics), machine.input(radial)];
        call.to_receivers(arrays.each_ref())
    })
}

/// [`Kernels::convolution_features`](crate::Kernels::convolution_features).
pub(crate) fn convolution_features(
    grad: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let (g, y, r) = (grad.dims(), harmonics.dims(), radial.dims());
    let sizes = problem.check("convolution_features", Some(g), None, Some(y), Some(r));
    let shape = [sizes.num_nodes, problem.paths.num_inputs(), sizes.channels];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(harmonics), machine.input(radial)];
        call.features(arrays.each_ref())
    })
}

/// [`Kernels::convolution_harmonics`](crate::Kernels::convolution_harmonics).
pub(crate) fn convolution_harmonics(
    grad: Tensor<Cuda, 3>,
    features: Tensor<Cuda, 3>,
    radial: Tensor<Cuda, 3>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 2> {
    let (g, h, r) = (grad.dims(), features.dims(), radial.dims());
    let sizes = problem.check("convolution_harmonics", Some(g), Some(h), None, Some(r));
    let shape = [sizes.num_edges, problem.paths.num_harmonics()];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(features), machine.input(radial)];
        call.harmonics(arrays.each_ref())
    })
}

/// [`Kernels::convolution_radial`](crate::Kernels::convolution_radial).
pub(crate) fn convolution_radial(
    grad: Tensor<Cuda, 3>,
    features: Tensor<Cuda, 3>,
    harmonics: Tensor<Cuda, 2>,
    problem: &ConvolutionProblem,
) -> Tensor<Cuda, 3> {
    let (g, h, y) = (grad.dims(), features.dims(), harmonics.dims());
    let sizes = problem.check("convolution_radial", Some(g), Some(h), Some(y), None);
    let shape = [sizes.num_weights, problem.paths.len(), sizes.channels];
    convolved(problem, &grad.device(), sizes.channels, shape, |call| {
        let machine = call.machine;
        let arrays = [machine.input(grad), machine.input(features), machine.input(harmonics)];
        call.radial(arrays.each_ref())
    })
}

/// Tensors of a contraction; which are given says which of the six operations it is.
pub(crate) struct Contraction {
    pub(crate) x: Tensor<Cuda, 3>,
    /// The direction, where a change is wanted.
    pub(crate) along: Option<Tensor<Cuda, 3>>,
    /// The gradient, but for outputs.
    pub(crate) grad: Option<Tensor<Cuda, 3>>,
    /// But for their gradient.
    pub(crate) coefficients: Option<Tensor<Cuda, 3>>,
}

impl Contraction {
    /// Checks the shapes, and runs `of` on the call, the gradient, x and the coefficients.
    fn run(
        self,
        operation: &str,
        num_species: Option<usize>,
        problem: &ContractionProblem,
        of: impl FnOnce(
            &contraction::cuda::Call<'_, DeviceMachine>,
            [Option<&DeviceArray>; 2],
            &DeviceArray,
        ) -> DeviceArray,
        rows: impl FnOnce(usize) -> [usize; 2],
    ) -> Tensor<Cuda, 3> {
        let shape = |tensor: &Option<Tensor<Cuda, 3>>| tensor.as_ref().map(Tensor::dims);
        let (x, coefficients) = (self.x.dims(), shape(&self.coefficients));
        if let Some(along) = shape(&self.along) {
            assert_shape(operation, "along", along, x, "as `x`");
        }
        let num_species = num_species.or(coefficients.map(|dims| dims[0])).unwrap_or_default();
        let sizes = problem.check(operation, x, shape(&self.grad), num_species, coefficients);
        let [first, second] = rows(sizes.num_nodes);
        on(&self.x.device(), |machine| {
            let given =
                |tensor: Option<Tensor<Cuda, 3>>| tensor.map(|tensor| machine.input(tensor));
            let (along, grad) = (given(self.along), given(self.grad));
            let (x, coefficients) = (machine.input(self.x), given(self.coefficients));
            let (along, channels) = (along.as_ref(), sizes.channels);
            let call = contraction::cuda::Call { machine, problem, channels, along };
            let found = of(&call, [grad.as_ref(), coefficients.as_ref()], &x);
            machine.tensor(found, [first, second, channels])
        })
    }

    /// `[N, O, C]`, the outputs or their change.
    pub(crate) fn outputs(self, problem: &ContractionProblem) -> Tensor<Cuda, 3> {
        let outputs = problem.terms.num_outputs();
        let rows = |nodes| [nodes, outputs];
        self.run(
            "contraction",
            None,
            problem,
            |call, [_, table], x| {
                let table = table.expect("outputs are made with coefficients");
                call.outputs([x, table])
            },
            rows,
        )
    }

    /// `[N, M, C]`, the gradient of x or its change.
    pub(crate) fn inputs(self, problem: &ContractionProblem) -> Tensor<Cuda, 3> {
        let inputs = problem.terms.num_inputs();
        let rows = |nodes| [nodes, inputs];
        self.run(
            "contraction_input",
            None,
            problem,
            |call, [grad, table], x| {
                let grad = grad.expect("gradients are made of gradients");
                call.inputs([grad, x, table.expect("gradients are made with coefficients")])
            },
            rows,
        )
    }

    /// `[S, T, C]`, the gradient of the coefficients or its change.
    pub(crate) fn table(self, num_species: usize, problem: &ContractionProblem) -> Tensor<Cuda, 3> {
        let terms = problem.terms.list().len();
        let rows = |_| [num_species, terms];
        self.run(
            "contraction_coefficients",
            Some(num_species),
            problem,
            |call, [grad, _], x| {
                call.coefficients([grad.expect("gradients are made of gradients"), x], num_species)
            },
            rows,
        )
    }
}
