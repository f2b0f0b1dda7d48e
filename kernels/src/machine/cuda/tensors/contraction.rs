//! The symmetric contraction, its gradients and its changes.

use burn::tensor::Tensor;

use crate::families::contraction;
use crate::machine::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::shape::assert_shape;
use crate::{ContractionProblem, Cuda};

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
        let sizes = problem.sizes(x, num_species);
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
