//! The polynomial and its two gradients as nodes of the autodiff graph.
//!
//! The backward of the polynomial calls the gradients, the backward of these calls the tangents;
//! inside a third level the tangents are Burn operations, which differentiate to any order.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::FloatTensor;

use super::ContractionKernels;
use super::ContractionProblem;
use crate::graph::{primitive, register, tensor};

/// `P(x, K)`.
#[derive(Debug)]
struct Polynomial;

/// `dx(g, x, K)`.
#[derive(Debug)]
struct Input;

/// `dK(g, x)`.
#[derive(Debug)]
struct Coefficients;

#[derive(Debug, Clone)]
struct Saved<F, const N: usize> {
    tensors: [F; N],
    problem: ContractionProblem,
}

impl<B: ContractionKernels> Backward<B, 2> for Polynomial {
    type State = Saved<FloatTensor<B>, 2>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor::<B, 3>(grads.consume::<B>(&ops.node));
        let Saved { tensors: [x, coefficients], problem } = ops.state;
        let (x, coefficients) = (tensor(x), tensor::<B, 3>(coefficients));
        let [x_node, coefficients_node] = ops.parents;
        if let Some(node) = coefficients_node {
            let [num_species, _, _] = coefficients.dims();
            let (grad, x) = (grad.clone(), Tensor::clone(&x));
            let part = super::contraction_coefficients::<B>(grad, x, num_species, &problem);
            grads.register::<B>(node.id, primitive(part));
        }
        if let Some(node) = x_node {
            let part = super::contraction_input::<B>(grad, x, coefficients, &problem);
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

impl<B: ContractionKernels> Backward<B, 3> for Input {
    type State = Saved<FloatTensor<B>, 3>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let along = tensor::<B, 3>(grads.consume::<B>(&ops.node));
        let Saved { tensors, problem } = ops.state;
        let [grad, x, coefficients] = tensors.map(tensor::<B, 3>);
        let [grad_node, x_node, coefficients_node] = ops.parents;
        if let Some(node) = grad_node {
            let (along, x, k) = (along.clone(), x.clone(), coefficients.clone());
            let part = super::contraction_tangent::<B>(along, x, k, &problem);
            grads.register::<B>(node.id, primitive(part));
        }
        if let Some(node) = coefficients_node {
            let [num_species, _, _] = coefficients.dims();
            let (along, grad, x) = (along.clone(), grad.clone(), x.clone());
            let part =
                super::contraction_coefficients_tangent::<B>(along, grad, x, num_species, &problem);
            grads.register::<B>(node.id, primitive(part));
        }
        if let Some(node) = x_node {
            let part =
                super::contraction_input_tangent::<B>(along, grad, x, coefficients, &problem);
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

impl<B: ContractionKernels> Backward<B, 2> for Coefficients {
    type State = Saved<FloatTensor<B>, 2>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let weights = tensor::<B, 3>(grads.consume::<B>(&ops.node));
        let Saved { tensors, problem } = ops.state;
        let [grad, x] = tensors.map(tensor::<B, 3>);
        let [grad_node, x_node] = ops.parents;
        if let Some(node) = grad_node {
            let part = super::contraction::<B>(x.clone(), weights.clone(), &problem);
            grads.register::<B>(node.id, primitive(part));
        }
        if let Some(node) = x_node {
            let part = super::contraction_input::<B>(grad, x, weights, &problem);
            grads.register::<B>(node.id, primitive(part));
        }
    }
}

/// [`contraction`](fn@crate::families::contraction::contraction) inside a graph.
pub(crate) fn tracked<B: ContractionKernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 3>,
    coefficients: Tensor<Autodiff<B, C>, 3>,
    problem: &ContractionProblem,
) -> Tensor<Autodiff<B, C>, 3> {
    let parents = [primitive(x), primitive(coefficients)];
    let tensors = [0, 1].map(|at: usize| parents[at].primitive.clone());
    let [x, k] = tensors.clone().map(tensor::<B, 3>);
    let y = primitive(super::contraction::<B>(x, k, problem));
    let state = || Saved { tensors, problem: problem.clone() };
    tensor(register::<B, C, _, 2>(Polynomial, parents.each_ref(), y, state))
}

/// [`contraction_input`](fn@crate::families::contraction::contraction_input) inside a graph.
pub(crate) fn input_tracked<B: ContractionKernels, C: CheckpointStrategy>(
    grad: Tensor<Autodiff<B, C>, 3>,
    x: Tensor<Autodiff<B, C>, 3>,
    coefficients: Tensor<Autodiff<B, C>, 3>,
    problem: &ContractionProblem,
) -> Tensor<Autodiff<B, C>, 3> {
    let parents = [primitive(grad), primitive(x), primitive(coefficients)];
    let tensors = [0, 1, 2].map(|at: usize| parents[at].primitive.clone());
    let [grad, x, k] = tensors.clone().map(tensor::<B, 3>);
    let y = primitive(super::contraction_input::<B>(grad, x, k, problem));
    let state = || Saved { tensors, problem: problem.clone() };
    tensor(register::<B, C, _, 3>(Input, parents.each_ref(), y, state))
}

/// [`contraction_coefficients`](fn@crate::families::contraction::contraction_coefficients) inside a graph.
pub(crate) fn coefficients_tracked<B: ContractionKernels, C: CheckpointStrategy>(
    grad: Tensor<Autodiff<B, C>, 3>,
    x: Tensor<Autodiff<B, C>, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<Autodiff<B, C>, 3> {
    let parents = [primitive(grad), primitive(x)];
    let tensors = [0, 1].map(|at: usize| parents[at].primitive.clone());
    let [grad, x] = tensors.clone().map(tensor::<B, 3>);
    let y = primitive(super::contraction_coefficients::<B>(grad, x, num_species, problem));
    let state = || Saved { tensors, problem: problem.clone() };
    tensor(register::<B, C, _, 2>(Coefficients, parents.each_ref(), y, state))
}
