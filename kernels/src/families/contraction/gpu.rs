//! The polynomial and its derivatives on GPUs: kernels made from the terms, a thread per channel of a
//! node or of a slice of nodes.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::slices::Slices;
use super::{ContractionProblem, Terms, emit};
use crate::families::rows::gpu::{Index, sum};
use crate::machine::emit::{Kernel, groups_of};
use crate::machine::{Array, Emitted, Gpu, Machine, Tensors};

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

/// What is made of x; where a direction is given, its change along it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form<T> {
    /// `[N, O, C]`.
    Outputs { coefficients: T },
    /// `[N, M, C]`, the gradient of x.
    Inputs { grad: T, coefficients: T },
    /// `[S, T, C]`, the gradient of the coefficients.
    Coefficients { grad: T, num_species: usize },
}

impl<T> Form<T> {
    fn map<U>(self, of: impl Fn(T) -> U) -> Form<U> {
        match self {
            Self::Outputs { coefficients } => Form::Outputs { coefficients: of(coefficients) },
            Self::Inputs { grad, coefficients } => {
                Form::Inputs { grad: of(grad), coefficients: of(coefficients) }
            }
            Self::Coefficients { grad, num_species } => {
                Form::Coefficients { grad: of(grad), num_species }
            }
        }
    }

    fn as_ref(&self) -> Form<&T> {
        match self {
            Self::Outputs { coefficients } => Form::Outputs { coefficients },
            Self::Inputs { grad, coefficients } => Form::Inputs { grad, coefficients },
            Self::Coefficients { grad, num_species } => {
                Form::Coefficients { grad, num_species: *num_species }
            }
        }
    }
}

/// A call: the polynomial, its nodes, the number of channels, x, and the direction where a change is wanted.
#[derive(Debug)]
pub(crate) struct Call<'a, M: Machine> {
    pub(crate) machine: &'a M,
    pub(crate) problem: &'a ContractionProblem,
    pub(crate) channels: usize,
    pub(crate) x: &'a M::Array,
    pub(crate) along: Option<&'a M::Array>,
}

impl<M: Machine> Call<'_, M> {
    pub(crate) fn run(&self, form: Form<&M::Array>) -> M::Array {
        let (sources, terms) =
            (Sources::of(&self.problem.terms, self.channels), &self.problem.terms);
        let moving = usize::from(self.along.is_some());
        match form {
            Form::Outputs { coefficients } => {
                let kernels = &sources.outputs[moving];
                self.per_node(kernels, terms.num_outputs, None, coefficients)
            }
            Form::Inputs { grad, coefficients } => {
                let kernels = &sources.inputs[moving];
                self.per_node(kernels, terms.num_inputs, Some(grad), coefficients)
            }
            Form::Coefficients { grad, num_species } => {
                self.per_species(&sources.coefficients[moving], grad, num_species)
            }
        }
    }

    /// Arrays in the order of the kernels: gradient, x, direction.
    fn values<'b>(&'b self, grad: Option<&'b M::Array>) -> Vec<&'b M::Array> {
        grad.into_iter().chain([self.x]).chain(self.along).collect()
    }

    fn per_node(
        &self,
        kernels: &[Emitted],
        rows: usize,
        grad: Option<&M::Array>,
        coefficients: &M::Array,
    ) -> M::Array {
        let nodes = self.problem.species.len();
        let (element, len) = (coefficients.element(), nodes * rows * self.channels);
        if kernels.is_empty() {
            return self.machine.zeros(element, len);
        }
        let out = self.machine.array(element, len);
        let species = self.machine.upload(&self.problem.species);
        let mut inputs = self.values(grad);
        inputs.extend([coefficients, &species]);
        for kernel in kernels {
            self.launch(kernel, [&inputs, &[&out]], nodes);
        }
        out
    }

    fn per_species(&self, kernels: &[Emitted], grad: &M::Array, num_species: usize) -> M::Array {
        let width = self.problem.terms.list.len() * self.channels;
        let slices = Slices::new(&self.problem.species, num_species);
        let starts = self.machine.upload(&slices.starts);
        let items = self.machine.upload(&slices.items);
        let sums = self.machine.array(self.x.element(), slices.len() * width);
        let mut inputs = self.values(Some(grad));
        inputs.extend([&starts, &items]);
        for kernel in kernels {
            self.launch(kernel, [&inputs, &[&sums]], slices.len());
        }
        sum(self.machine, &sums, &Index::upload(self.machine, &slices.species), width)
    }

    /// A thread per channel of `count` owners.
    fn launch(&self, kernel: &Emitted, arrays: [&[&M::Array]; 2], count: usize) {
        kernel.launch(self.machine, arrays, count, groups_of(count, self.channels));
    }
}

/// The contraction of x in this form, or its change along a direction.
pub(crate) fn contraction<B: Gpu>(
    form: Form<Tensor<B, 3>>,
    x: Tensor<B, 3>,
    along: Option<Tensor<B, 3>>,
    problem: &ContractionProblem,
) -> Tensor<B, 3> {
    let (terms, nodes, channels) = (&problem.terms, problem.species.len(), x.dims()[2]);
    let shape = match &form {
        Form::Outputs { .. } => [nodes, terms.num_outputs, channels],
        Form::Inputs { .. } => [nodes, terms.num_inputs, channels],
        Form::Coefficients { num_species, .. } => [*num_species, terms.list.len(), channels],
    };
    B::on(&x.device(), |machine| {
        let form = form.map(|tensor| machine.input(tensor));
        let (x, along) = (machine.input(x), along.map(|along| machine.input(along)));
        let call = Call { machine, problem, channels, x: &x, along: along.as_ref() };
        machine.tensor(call.run(form.as_ref()), shape)
    })
}

/// Every kernel of this family in WGSL, for the polynomial of a test.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    let problem = ContractionProblem::new(Arc::new(super::tests::many_terms()), [0].into());
    crate::machine::wgpu::testing::recorded(|machine| {
        let some = machine.numbers(1);
        for along in [None, Some(&some)] {
            let call = Call { machine, problem: &problem, channels: 33, x: &some, along };
            call.run(Form::Outputs { coefficients: &some });
            call.run(Form::Inputs { grad: &some, coefficients: &some });
            call.run(Form::Coefficients { grad: &some, num_species: 1 });
        }
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
