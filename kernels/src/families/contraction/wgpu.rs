//! The polynomial and its derivatives on wgpu: kernels made from the terms, a thread per channel of a
//! node or of a slice of nodes.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::slices::Slices;
use super::{ContractionProblem, Sizes, Terms, emit};
use crate::Wgpu;
use crate::families::rows::wgpu::sum_array;
use crate::machine::emit::{Kernel, groups_of};
use crate::machine::wgpu::{Array, Shader, emitted, launch_emitted};
use crate::shape::assert_shape;

/// The kernels of one polynomial for one number of channels; of values, then of changes.
struct Shaders {
    outputs: [Vec<Shader>; 2],
    inputs: [Vec<Shader>; 2],
    coefficients: [Vec<Shader>; 2],
}

impl Shaders {
    fn of(terms: &Terms, channels: usize) -> Arc<Self> {
        let all = |kernels: Vec<Kernel>| kernels.iter().map(emitted).collect();
        let both = |of: fn(&Terms, usize, bool) -> Vec<Kernel>| {
            [false, true].map(|moving| all(of(terms, channels, moving)))
        };
        terms.memo().get(channels as u64, || Self {
            outputs: both(emit::outputs),
            inputs: both(emit::inputs),
            coefficients: both(emit::coefficients),
        })
    }
}

/// Every kernel of this family, for the polynomial of a test.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    let of = Shaders::of(&super::tests::many_terms(), 33);
    let all = [&of.outputs, &of.inputs, &of.coefficients];
    all.into_iter().flatten().flatten().cloned().collect()
}

/// Tensors of a call; which are given says which of the six operations it is.
pub(crate) struct Call {
    pub(crate) x: Tensor<Wgpu, 3>,
    /// The direction, where a change is wanted.
    pub(crate) along: Option<Tensor<Wgpu, 3>>,
    /// The gradient, but for outputs.
    pub(crate) grad: Option<Tensor<Wgpu, 3>>,
    /// But for gradients of coefficients.
    pub(crate) coefficients: Option<Tensor<Wgpu, 3>>,
}

/// `[N, O, C]`, the outputs or their change.
pub(crate) fn outputs(call: Call, problem: &ContractionProblem) -> Tensor<Wgpu, 3> {
    let arrays = Arrays::new("contraction", call, None, problem);
    let shape = [arrays.sizes.num_nodes, problem.terms.num_outputs, arrays.sizes.channels];
    let shaders = Shaders::of(&problem.terms, arrays.sizes.channels);
    arrays.per_node(&shaders.outputs, shape, problem)
}

/// `[N, M, C]`, the gradient of x or its change.
pub(crate) fn inputs(call: Call, problem: &ContractionProblem) -> Tensor<Wgpu, 3> {
    let arrays = Arrays::new("contraction_input", call, None, problem);
    let shape = [arrays.sizes.num_nodes, problem.terms.num_inputs, arrays.sizes.channels];
    let shaders = Shaders::of(&problem.terms, arrays.sizes.channels);
    arrays.per_node(&shaders.inputs, shape, problem)
}

/// `[S, T, C]`, the gradient of the coefficients or its change.
pub(crate) fn coefficients(
    call: Call,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<Wgpu, 3> {
    let arrays = Arrays::new("contraction_coefficients", call, Some(num_species), problem);
    let shaders = Shaders::of(&problem.terms, arrays.sizes.channels);
    arrays.per_species(&shaders.coefficients, problem)
}

/// The tensors as arrays, in the order of the kernels: gradient, x, direction, coefficients.
struct Arrays {
    list: Vec<Array>,
    moving: bool,
    sizes: Sizes,
}

impl Arrays {
    fn new(
        operation: &str,
        call: Call,
        num_species: Option<usize>,
        problem: &ContractionProblem,
    ) -> Self {
        let shape = |tensor: &Option<Tensor<Wgpu, 3>>| tensor.as_ref().map(Tensor::dims);
        let [x, along] = [Some(call.x.dims()), shape(&call.along)];
        let (x, coefficients) = (x.unwrap_or_default(), shape(&call.coefficients));
        let num_species = num_species.or(coefficients.map(|dims| dims[0])).unwrap_or_default();
        if let Some(along) = along {
            assert_shape(operation, "along", along, x, "as `x`");
        }
        let sizes = problem.sizes(x, num_species);
        let moving = along.is_some();
        let tensors = [call.grad, Some(call.x), call.along, call.coefficients];
        Self { list: tensors.into_iter().flatten().map(Array::new).collect(), moving, sizes }
    }

    fn per_node(
        &self,
        shaders: &[Vec<Shader>; 2],
        shape: [usize; 3],
        problem: &ContractionProblem,
    ) -> Tensor<Wgpu, 3> {
        let shaders = &shaders[usize::from(self.moving)];
        if shape.contains(&0) || shaders.is_empty() {
            return self.zeros(shape);
        }
        let species = self.list[0].table(&problem.species);
        let out = self.list[0].room(shape);
        let arrays: Vec<&Array> = self.list.iter().chain([&species, &out]).collect();
        let Sizes { num_nodes, channels, .. } = self.sizes;
        for shader in shaders {
            launch_emitted(shader, &arrays, num_nodes, groups_of(num_nodes, channels));
        }
        out.tensor(shape)
    }

    fn per_species(
        &self,
        shaders: &[Vec<Shader>; 2],
        problem: &ContractionProblem,
    ) -> Tensor<Wgpu, 3> {
        let Sizes { num_nodes, num_species, channels } = self.sizes;
        let count = problem.terms.list.len();
        let shape = [num_species, count, channels];
        if shape.contains(&0) || num_nodes == 0 {
            return self.zeros(shape);
        }
        let slices = Slices::new(&problem.species, num_species);
        let like = &self.list[0];
        let (starts, items) = (like.table(&slices.starts), like.table(&slices.items));
        let sums = like.room([slices.len(), count, channels]);
        let arrays: Vec<&Array> = self.list.iter().chain([&starts, &items, &sums]).collect();
        for shader in &shaders[usize::from(self.moving)] {
            launch_emitted(shader, &arrays, slices.len(), groups_of(slices.len(), channels));
        }
        sum_array(&sums, &slices.species, count * channels).tensor(shape)
    }

    fn zeros(&self, shape: [usize; 3]) -> Tensor<Wgpu, 3> {
        let device = self.list[0].clone().tensor::<1>([self.list[0].len()]).device();
        Tensor::zeros(shape, &device)
    }
}
