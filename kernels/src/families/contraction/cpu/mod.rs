//! The polynomial, its gradients and their changes along a direction on the CPU, f32 and f64.
//!
//! Here are the six operations and their checks; tasks are in `loops.rs` and
//! `species.rs`, the nested form is in `together.rs`.

mod loops;
mod species;
mod together;

use burn::backend::Flex;
use burn::tensor::Tensor;

use loops::{Call, Wanted, per_node};
use species::per_species;

use super::{ContractionProblem, Sizes};
use crate::cpu::{Element, input, is_f64, output};

/// [`contraction`](fn@crate::families::contraction::contraction).
pub(crate) fn forward(
    x: Tensor<Flex, 3>,
    coefficients: Tensor<Flex, 3>,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let num_species = coefficients.dims()[0];
    let tensors = Tensors { x, along: None, grad: None, coefficients: Some(coefficients) };
    tensors.compute("contraction", Wanted::Output, num_species, problem)
}

/// [`contraction_input`](fn@crate::families::contraction::contraction_input).
pub(crate) fn input_gradient(
    grad: Tensor<Flex, 3>,
    x: Tensor<Flex, 3>,
    coefficients: Tensor<Flex, 3>,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let num_species = coefficients.dims()[0];
    let tensors = Tensors { x, along: None, grad: Some(grad), coefficients: Some(coefficients) };
    tensors.compute("contraction_input", Wanted::Input, num_species, problem)
}

/// [`contraction_coefficients`](fn@crate::families::contraction::contraction_coefficients).
pub(crate) fn coefficients(
    grad: Tensor<Flex, 3>,
    x: Tensor<Flex, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let tensors = Tensors { x, along: None, grad: Some(grad), coefficients: None };
    tensors.compute("contraction_coefficients", Wanted::Coefficients, num_species, problem)
}

/// [`contraction_tangent`](fn@crate::families::contraction::contraction_tangent).
pub(crate) fn tangent(
    along: Tensor<Flex, 3>,
    x: Tensor<Flex, 3>,
    coefficients: Tensor<Flex, 3>,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let num_species = coefficients.dims()[0];
    let tensors = Tensors { x, along: Some(along), grad: None, coefficients: Some(coefficients) };
    tensors.compute("contraction_tangent", Wanted::Output, num_species, problem)
}

/// [`contraction_input_tangent`](fn@crate::families::contraction::contraction_input_tangent).
pub(crate) fn input_tangent(
    along: Tensor<Flex, 3>,
    grad: Tensor<Flex, 3>,
    x: Tensor<Flex, 3>,
    coefficients: Tensor<Flex, 3>,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let num_species = coefficients.dims()[0];
    let (along, grad, coefficients) = (Some(along), Some(grad), Some(coefficients));
    let tensors = Tensors { x, along, grad, coefficients };
    tensors.compute("contraction_input_tangent", Wanted::Input, num_species, problem)
}

/// [`contraction_coefficients_tangent`](fn@crate::families::contraction::contraction_coefficients_tangent).
pub(crate) fn coefficients_tangent(
    along: Tensor<Flex, 3>,
    grad: Tensor<Flex, 3>,
    x: Tensor<Flex, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let tensors = Tensors { x, along: Some(along), grad: Some(grad), coefficients: None };
    let name = "contraction_coefficients_tangent";
    tensors.compute(name, Wanted::Coefficients, num_species, problem)
}

/// The tensors of a call.
struct Tensors {
    x: Tensor<Flex, 3>,
    along: Option<Tensor<Flex, 3>>,
    grad: Option<Tensor<Flex, 3>>,
    coefficients: Option<Tensor<Flex, 3>>,
}

impl Tensors {
    fn compute(
        self,
        operation: &str,
        wanted: Wanted,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Flex, 3> {
        let sizes = problem.sizes(self.x.dims(), num_species);
        let others = [&self.along, &self.grad, &self.coefficients].into_iter().flatten();
        let dtypes: Vec<_> = std::iter::once(&self.x).chain(others).map(Tensor::dtype).collect();
        if is_f64(operation, &dtypes) {
            self.compute_in::<f64>(wanted, sizes, problem)
        } else {
            self.compute_in::<f32>(wanted, sizes, problem)
        }
    }

    fn compute_in<T: Element>(
        self,
        wanted: Wanted,
        sizes: Sizes,
        problem: &ContractionProblem,
    ) -> Tensor<Flex, 3> {
        let x = input(self.x);
        let [along, grad, coefficients] =
            [self.along, self.grad, self.coefficients].map(|tensor| tensor.map(input));
        let view = |tensor| Option::map_or(tensor, &[][..], T::view);
        let call = Call {
            problem,
            sizes,
            x: T::view(&x),
            along: view(along.as_ref()),
            grad: view(grad.as_ref()),
            coefficients: view(coefficients.as_ref()),
        };
        let moving = along.is_some();
        let terms = &problem.terms;
        let Sizes { num_nodes, channels, num_species } = sizes;
        match wanted {
            Wanted::Output => {
                let shape = [num_nodes, terms.num_outputs, channels];
                output(per_node(call, wanted, moving, shape[1]), shape)
            }
            Wanted::Input => {
                let shape = [num_nodes, terms.num_inputs, channels];
                output(per_node(call, wanted, moving, shape[1]), shape)
            }
            Wanted::Coefficients => {
                let shape = [num_species, terms.list.len(), channels];
                output(per_species(call, moving), shape)
            }
        }
    }
}
