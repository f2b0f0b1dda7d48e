//! The polynomial, its gradients and their changes along a direction on the CPU.
//!
//! A node's inputs, a pack of channels wide, are loaded once and stay in the first cache while
//! the terms pass. Numbers that carry their derivative turn each of the three kernels into its
//! change along a direction, so there is one loop per kernel and none per derivative.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::{ContractionProblem, Sizes};
use crate::cpu::{Element, Job, Lanes, Moving, Number, for_rows, input, is_f64, output, run, span};

/// Terms a task of the coefficients' gradient takes; their sums stay in the first cache.
const TERMS_PER_TASK: usize = 32;

/// Everything a call reads.
#[derive(Clone, Copy)]
struct Call<'a, T> {
    problem: &'a ContractionProblem,
    sizes: Sizes,
    x: &'a [T],
    /// The direction, empty when values are wanted.
    along: &'a [T],
    /// The gradient of the output, empty for the forward.
    grad: &'a [T],
    /// Empty for the gradient of the coefficients.
    coefficients: &'a [T],
}

/// Which of the three kernels.
#[derive(Clone, Copy)]
enum Wanted {
    Output,
    Input,
    Coefficients,
}

/// [`Kernels::contraction`](crate::Kernels::contraction).
pub(crate) fn forward(
    x: Tensor<Flex, 3>,
    coefficients: Tensor<Flex, 3>,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let num_species = coefficients.dims()[0];
    let tensors = Tensors { x, along: None, grad: None, coefficients: Some(coefficients) };
    tensors.compute("contraction", Wanted::Output, num_species, problem)
}

/// [`Kernels::contraction_input`](crate::Kernels::contraction_input).
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

/// [`Kernels::contraction_coefficients`](crate::Kernels::contraction_coefficients).
pub(crate) fn coefficients(
    grad: Tensor<Flex, 3>,
    x: Tensor<Flex, 3>,
    num_species: usize,
    problem: &ContractionProblem,
) -> Tensor<Flex, 3> {
    let tensors = Tensors { x, along: None, grad: Some(grad), coefficients: None };
    tensors.compute("contraction_coefficients", Wanted::Coefficients, num_species, problem)
}

/// [`Kernels::contraction_tangent`](crate::Kernels::contraction_tangent).
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

/// [`Kernels::contraction_input_tangent`](crate::Kernels::contraction_input_tangent).
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

/// [`Kernels::contraction_coefficients_tangent`](crate::Kernels::contraction_coefficients_tangent).
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
        let sizes = problem.check(
            operation,
            self.x.dims(),
            self.grad.as_ref().map(Tensor::dims),
            num_species,
            self.coefficients.as_ref().map(Tensor::dims),
        );
        if let Some(along) = &self.along {
            crate::shape::assert_shape(operation, "along", along.dims(), self.x.dims(), "as `x`");
        }
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

/// `rows` rows for every node, a node at a time.
fn per_node<T: Element>(call: Call<'_, T>, wanted: Wanted, moving: bool, rows: usize) -> Vec<T> {
    let row_len = rows * call.sizes.channels;
    let mut out = vec![T::ZERO; call.sizes.num_nodes * row_len];
    for_rows(
        &mut out,
        row_len,
        1,
        || (),
        |(), node, out| {
            run(NodeJob { call, wanted, moving, node, out });
        },
    );
    out
}

/// A row for every term of every species; each task sums its terms over the nodes in order.
fn per_species<T: Element>(call: Call<'_, T>, moving: bool) -> Vec<T> {
    let Sizes { channels, num_species, .. } = call.sizes;
    let count = call.problem.terms.list.len();
    let mut out = vec![T::ZERO; num_species * count * channels];
    if out.is_empty() {
        return out;
    }
    let nodes = crate::rows::RowIndex::new(&call.problem.species, num_species);
    out.par_chunks_mut(count * channels).enumerate().for_each(|(species, out)| {
        let tasks = out.par_chunks_mut(TERMS_PER_TASK * channels).enumerate();
        tasks.for_each(|(task, out)| {
            let (first, nodes) = (task * TERMS_PER_TASK, nodes.items_of(species));
            run(SpeciesJob { call, moving, nodes, first, out });
        });
    });
    out
}

impl<T: Element> Call<'_, T> {
    /// Inputs of a node for channels from `start`, and a row of ones after them.
    #[inline(always)]
    fn load<N: Number>(&self, node: usize, start: usize, inputs: &mut Vec<N>)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (count, channels) = (self.problem.terms.num_inputs, self.sizes.channels);
        inputs.clear();
        for input in 0..count {
            let row = (node * count + input) * channels;
            let columns = span(row + start, N::Plain::LANES, row + channels);
            let value = N::Plain::load(&self.x[columns.clone()]);
            inputs.push(N::of(value, || N::Plain::load(&self.along[columns])));
        }
        inputs.push(N::constant(N::Plain::splat(T::ONE)));
    }
}

/// One node's output or gradient of the input.
struct NodeJob<'a, T> {
    call: Call<'a, T>,
    wanted: Wanted,
    moving: bool,
    node: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for NodeJob<'_, T> {
    #[inline(always)]
    fn run<const FUSED: bool>(mut self) {
        match (self.wanted, self.moving) {
            (Wanted::Output, false) => self.outputs::<T::Pack<FUSED>>(),
            (Wanted::Output, true) => self.outputs::<Moving<T::Pack<FUSED>>>(),
            (_, false) => self.inputs::<T::Pack<FUSED>>(),
            (_, true) => self.inputs::<Moving<T::Pack<FUSED>>>(),
        }
    }
}

impl<T: Element> NodeJob<'_, T> {
    /// Coefficients of this node's species, `[T, C]`.
    #[inline(always)]
    fn coefficients(&self) -> &[T] {
        let len = self.call.problem.terms.list.len() * self.call.sizes.channels;
        let species = self.call.problem.species[self.node] as usize;
        &self.call.coefficients[species * len..][..len]
    }

    #[inline(always)]
    fn outputs<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (terms, channels) = (&self.call.problem.terms, self.call.sizes.channels);
        let mut inputs: Vec<N> = Vec::with_capacity(terms.num_inputs + 1);
        for start in (0..channels).step_by(N::Plain::LANES) {
            let columns =
                |row: usize| span(row * channels + start, N::Plain::LANES, (row + 1) * channels);
            self.call.load(self.node, start, &mut inputs);
            let mut at = 0;
            for run in terms.list.chunk_by(|a, b| a.output == b.output) {
                let to = columns(run[0].output.into());
                let mut sum = N::Plain::load(&self.out[to.clone()]);
                for term in run {
                    let [a, b, c] = term.factors(terms.num_inputs);
                    let product = inputs[a].mul(inputs[b]).mul(inputs[c]).result();
                    sum = product.mul_add(N::Plain::load(&self.coefficients()[columns(at)]), sum);
                    at += 1;
                }
                sum.store(&mut self.out[to]);
            }
        }
    }

    #[inline(always)]
    fn inputs<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (terms, channels) = (&self.call.problem.terms, self.call.sizes.channels);
        let (count, outputs) = (terms.num_inputs, terms.num_outputs);
        let mut inputs: Vec<N> = Vec::with_capacity(count + 1);
        let mut sums = vec![N::Plain::zero(); count + 1];
        for start in (0..channels).step_by(N::Plain::LANES) {
            let columns =
                |row: usize| span(row * channels + start, N::Plain::LANES, (row + 1) * channels);
            self.call.load(self.node, start, &mut inputs);
            sums.fill(N::Plain::zero());
            for (at, term) in terms.list.iter().enumerate() {
                let [a, b, c] = term.factors(count);
                let row = self.node * outputs + usize::from(term.output);
                let grad = N::Plain::load(&self.call.grad[columns(row)]);
                let coefficient = N::Plain::load(&self.coefficients()[columns(at)]);
                let weight = Lanes::mul(grad, coefficient);
                let (x, y, z) = (inputs[a], inputs[b], inputs[c]);
                sums[a] = y.mul(z).result().mul_add(weight, sums[a]);
                sums[b] = x.mul(z).result().mul_add(weight, sums[b]);
                sums[c] = x.mul(y).result().mul_add(weight, sums[c]);
            }
            for (row, sum) in sums.iter().take(count).enumerate() {
                sum.store(&mut self.out[columns(row)]);
            }
        }
    }
}

/// Some terms' coefficients of one species.
struct SpeciesJob<'a, T> {
    call: Call<'a, T>,
    moving: bool,
    nodes: &'a [u32],
    /// The first of the terms.
    first: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for SpeciesJob<'_, T> {
    #[inline(always)]
    fn run<const FUSED: bool>(mut self) {
        if self.moving {
            self.sums::<Moving<T::Pack<FUSED>>>();
        } else {
            self.sums::<T::Pack<FUSED>>();
        }
    }
}

impl<T: Element> SpeciesJob<'_, T> {
    #[inline(always)]
    fn sums<N: Number>(&mut self)
    where
        N::Plain: Lanes<Base = T>,
    {
        let (terms, channels) = (&self.call.problem.terms, self.call.sizes.channels);
        let mut inputs: Vec<N> = Vec::with_capacity(terms.num_inputs + 1);
        for start in (0..channels).step_by(N::Plain::LANES) {
            let columns =
                |row: usize| span(row * channels + start, N::Plain::LANES, (row + 1) * channels);
            for &node in self.nodes {
                let node = node as usize;
                self.call.load(node, start, &mut inputs);
                for (at, term) in terms.list[self.first..].iter().enumerate().take(TERMS_PER_TASK) {
                    let [a, b, c] = term.factors(terms.num_inputs);
                    let row = node * terms.num_outputs + usize::from(term.output);
                    let grad = N::Plain::load(&self.call.grad[columns(row)]);
                    let product = inputs[a].mul(inputs[b]).mul(inputs[c]).result();
                    let to = &mut self.out[columns(at)];
                    product.mul_add(grad, N::Plain::load(to)).store(to);
                }
            }
        }
    }
}
