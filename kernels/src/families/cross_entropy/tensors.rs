//! A linear layer with cross entropy on tensors of CUDA: they become arrays, and the results tensors.

use burn::tensor::{Int, Tensor};

use super::cuda;
use crate::machine::Tensors;
use crate::machine::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::{Cuda, LossAndGradients, Precision};

/// [`linear_cross_entropy`](fn@crate::families::cross_entropy::linear_cross_entropy).
pub(crate) fn forward(
    hidden: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    labels: Tensor<Cuda, 1, Int>,
    precision: Precision,
) -> (Tensor<Cuda, 1>, Tensor<Cuda, 1>) {
    let call = CrossEntropy::new(hidden, weight, bias, labels, precision);
    let tokens = call.tokens;
    call.run(|machine, inputs| {
        let (loss, log_sum_exp) = cuda::forward(machine, inputs);
        (machine.tensor(loss, [1]), machine.tensor(log_sum_exp, [tokens]))
    })
}

/// [`linear_cross_entropy_gradients`](fn@crate::families::cross_entropy::linear_cross_entropy_gradients).
pub(crate) fn with_gradients(
    hidden: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    labels: Tensor<Cuda, 1, Int>,
    precision: Precision,
) -> LossAndGradients<Cuda> {
    let call = CrossEntropy::new(hidden, weight, bias, labels, precision);
    let (tokens, [width, vocabulary]) = (call.tokens, call.sizes);
    call.run(|machine, inputs| {
        let (loss, log_sum_exp, found) = cuda::with_gradients(machine, inputs);
        LossAndGradients {
            loss: machine.tensor(loss, [1]),
            log_sum_exp: machine.tensor(log_sum_exp, [tokens]),
            hidden: machine.tensor(found.hidden, [tokens, width]),
            weight: machine.tensor(found.weight, [vocabulary, width]),
            bias: found.bias.map(|bias| machine.tensor(bias, [vocabulary])),
        }
    })
}

/// A linear cross entropy whose shapes were checked.
struct CrossEntropy {
    hidden: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    labels: Tensor<Cuda, 1, Int>,
    precision: Precision,
    tokens: usize,
    /// C and V
    sizes: [usize; 2],
}

impl CrossEntropy {
    fn new(
        hidden: Tensor<Cuda, 2>,
        weight: Tensor<Cuda, 2>,
        bias: Option<Tensor<Cuda, 1>>,
        labels: Tensor<Cuda, 1, Int>,
        precision: Precision,
    ) -> Self {
        let ([tokens, width], [vocabulary, _]) = (hidden.dims(), weight.dims());
        let sizes = [width, vocabulary];
        Self { hidden, weight, bias, labels, precision, tokens, sizes }
    }

    fn run<T>(
        self,
        compute: impl FnOnce(&DeviceMachine, &cuda::Inputs<'_, DeviceArray>) -> T,
    ) -> T {
        on(&self.hidden.device(), |machine| {
            let (hidden, weight) = (machine.input(self.hidden), machine.input(self.weight));
            let bias = self.bias.map(|bias| machine.input(bias));
            let inputs = cuda::Inputs {
                hidden: &hidden,
                weight: &weight,
                bias: bias.as_ref(),
                labels: &machine.input_int(self.labels),
                sizes: self.sizes,
                precision: self.precision,
            };
            compute(machine, &inputs)
        })
    }
}
