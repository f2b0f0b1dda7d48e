//! The polynomial and its derivatives on CUDA: kernels made from the terms, a thread per channel of a
//! node or of a slice of nodes.

use std::sync::Arc;

use super::slices::Slices;
use super::{ContractionProblem, Terms, emit};
use crate::families::rows::cuda::{Index, sum};
use crate::machine::cuda::{Array, Emitted, Machine};
use crate::machine::emit::{Kernel, groups_of};

/// The kernels of one polynomial for one number of channels; of values, then of changes.
struct Sources {
    outputs: [Vec<Emitted>; 2],
    inputs: [Vec<Emitted>; 2],
    coefficients: [Vec<Emitted>; 2],
}

impl Sources {
    fn of(terms: &Terms, channels: usize) -> Arc<Self> {
        let both = |of: fn(&Terms, usize, bool) -> Vec<Kernel>| {
            [false, true].map(|moving| Emitted::all("contraction", &of(terms, channels, moving)))
        };
        terms.memo().get(channels as u64, || Self {
            outputs: both(emit::outputs),
            inputs: both(emit::inputs),
            coefficients: both(emit::coefficients),
        })
    }
}

/// A call: the polynomial, its nodes, the number of channels, and the direction where a change is wanted.
#[derive(Debug)]
pub(crate) struct Call<'a, M: Machine> {
    pub(crate) machine: &'a M,
    pub(crate) problem: &'a ContractionProblem,
    pub(crate) channels: usize,
    pub(crate) along: Option<&'a M::Array>,
}

impl<M: Machine> Call<'_, M> {
    /// `[N, O, C]`, the outputs of x and coefficients, or their change.
    pub(crate) fn outputs(&self, [x, coefficients]: [&M::Array; 2]) -> M::Array {
        let kernels = &self.sources().outputs;
        self.per_node(kernels, self.problem.terms.num_outputs, &[x], coefficients)
    }

    /// `[N, M, C]`, the gradient of x, of gradient, x and coefficients, or its change.
    pub(crate) fn inputs(&self, [grad, x, coefficients]: [&M::Array; 3]) -> M::Array {
        let kernels = &self.sources().inputs;
        self.per_node(kernels, self.problem.terms.num_inputs, &[grad, x], coefficients)
    }

    /// `[S, T, C]`, the gradient of the coefficients, of gradient and x, or its change.
    pub(crate) fn coefficients(&self, [grad, x]: [&M::Array; 2], num_species: usize) -> M::Array {
        let width = self.problem.terms.list.len() * self.channels;
        let slices = Slices::new(&self.problem.species, num_species);
        let starts = self.machine.upload(&slices.starts);
        let items = self.machine.upload(&slices.items);
        let sums = self.machine.array(x.element(), slices.len() * width);
        let mut inputs = vec![grad, x];
        inputs.extend(self.along);
        inputs.extend([&starts, &items]);
        for kernel in &self.sources().coefficients[self.moving()] {
            self.run(kernel, [&inputs, &[&sums]], slices.len());
        }
        sum(self.machine, &sums, &Index::upload(self.machine, &slices.species), width)
    }

    fn per_node(
        &self,
        kernels: &[Vec<Emitted>; 2],
        rows: usize,
        values: &[&M::Array],
        coefficients: &M::Array,
    ) -> M::Array {
        let nodes = self.problem.species.len();
        let (element, len) = (coefficients.element(), nodes * rows * self.channels);
        let kernels = &kernels[self.moving()];
        if kernels.is_empty() {
            return self.machine.zeros(element, len);
        }
        let out = self.machine.array(element, len);
        let species = self.machine.upload(&self.problem.species);
        let mut inputs = values.to_vec();
        inputs.extend(self.along);
        inputs.extend([coefficients, &species]);
        for kernel in kernels {
            self.run(kernel, [&inputs, &[&out]], nodes);
        }
        out
    }

    /// Which kernels: 1 for those of changes.
    fn moving(&self) -> usize {
        usize::from(self.along.is_some())
    }

    fn sources(&self) -> Arc<Sources> {
        Sources::of(&self.problem.terms, self.channels)
    }

    /// A thread per channel of `count` owners.
    fn run(&self, kernel: &Emitted, arrays: [&[&M::Array]; 2], count: usize) {
        kernel.launch(self.machine, arrays, count, groups_of(count, self.channels));
    }
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
