//! Linear cross entropy on wgpu: products by Burn, a chunk of logits at a time, and one kernel that
//! takes the softmax of a chunk and leaves the gradient of its logits in their place.

use burn::tensor::{Int, Tensor};

use super::LossAndGradients;
use super::chunks::Labelled;
use crate::families::reduce::gpu::{column_sums, sum};
use crate::machine::{Array, Gpu, Launch, Machine, Source, Tensors};
use crate::{Precision, Wgpu};

static SOURCE: Source =
    Source::wgsl("families/cross_entropy/softmax.wgsl", include_str!("softmax.wgsl"));

/// What a call is about.
pub(crate) struct Inputs {
    pub(crate) hidden: Tensor<Wgpu, 2>,
    pub(crate) weight: Tensor<Wgpu, 2>,
    pub(crate) bias: Option<Tensor<Wgpu, 1>>,
    pub(crate) labels: Tensor<Wgpu, 1, Int>,
    pub(crate) precision: Precision,
}

/// [`linear_cross_entropy`](fn@crate::families::cross_entropy::linear_cross_entropy).
pub(crate) fn forward(inputs: Inputs) -> (Tensor<Wgpu, 1>, Tensor<Wgpu, 1>) {
    let labelled = Labelled::new(&inputs.labels, inputs.weight.dims()[0]);
    let device = inputs.hidden.device();
    if labelled.is_empty() {
        let tokens = inputs.hidden.dims()[0];
        return (Tensor::zeros([1], &device), Tensor::zeros([tokens], &device));
    }
    let head = Head::new(inputs.weight, inputs.bias, inputs.precision);
    let hidden = inputs.precision.operand(labelled.take(inputs.hidden));
    let mut found = Rows::default();
    for chunk in labelled.chunks() {
        let rows = hidden.clone().narrow(0, chunk.start, chunk.len());
        found.push(head.softmax(rows, labelled.labels(&chunk), false).1);
    }
    let (loss, log_sum_exp) = found.finish();
    (loss, labelled.put(log_sum_exp))
}

/// [`linear_cross_entropy_gradients`](fn@crate::families::cross_entropy::linear_cross_entropy_gradients).
pub(crate) fn with_gradients(inputs: Inputs) -> LossAndGradients<Wgpu> {
    let labelled = Labelled::new(&inputs.labels, inputs.weight.dims()[0]);
    let Inputs { hidden, weight, bias, precision, .. } = inputs;
    let device = hidden.device();
    let mut weight_sum = Tensor::zeros(weight.dims(), &device);
    let mut bias_sum = bias.as_ref().map(|bias| Tensor::zeros(bias.dims(), &device));
    if labelled.is_empty() {
        let (loss, log_sum_exp) =
            (Tensor::zeros([1], &device), Tensor::zeros([hidden.dims()[0]], &device));
        let hidden = hidden.zeros_like();
        return LossAndGradients { loss, log_sum_exp, hidden, weight: weight_sum, bias: bias_sum };
    }
    let head = Head::new(weight, bias, precision);
    let hidden = precision.operand(labelled.take(hidden));
    let (mut found, mut of_hidden) = (Rows::default(), vec![]);
    for chunk in labelled.chunks() {
        let rows = hidden.clone().narrow(0, chunk.start, chunk.len());
        let (slopes, numbers) = head.softmax(rows.clone(), labelled.labels(&chunk), true);
        found.push(numbers);
        bias_sum = bias_sum.map(|sum| sum.add(sums_of_columns(slopes.clone())));
        let slopes = precision.operand(slopes);
        of_hidden.push(slopes.clone().matmul(head.weight.clone()));
        weight_sum = weight_sum.add(slopes.transpose().matmul(rows));
    }
    let (loss, log_sum_exp) = found.finish();
    LossAndGradients {
        loss,
        log_sum_exp: labelled.put(log_sum_exp),
        hidden: labelled.put(Tensor::cat(of_hidden, 0)),
        weight: weight_sum,
        bias: bias_sum,
    }
}

/// The linear map, its weight rounded once.
struct Head {
    weight: Tensor<Wgpu, 2>,
    bias: Option<Tensor<Wgpu, 1>>,
}

impl Head {
    fn new(weight: Tensor<Wgpu, 2>, bias: Option<Tensor<Wgpu, 1>>, precision: Precision) -> Self {
        Self { weight: precision.operand(weight), bias }
    }

    fn classes(&self) -> usize {
        self.weight.dims()[0]
    }

    /// Logits `[L, V]`, replaced by their gradients if wanted; losses and log-sum-exp.
    fn softmax(
        &self,
        rows: Tensor<Wgpu, 2>,
        labels: Tensor<Wgpu, 2, Int>,
        gradient: bool,
    ) -> (Tensor<Wgpu, 2>, [Tensor<Wgpu, 1>; 2]) {
        let shape = [rows.dims()[0], self.classes()];
        let logits = rows.matmul(self.weight.clone().transpose());
        Wgpu::on(&logits.device(), |machine| {
            let logits = machine.in_place_of(&machine.input(logits));
            let bias = self.bias.clone().map(|bias| machine.input(bias));
            let labels = machine.input_int(labels);
            let numbers = softmax(machine, &logits, bias.as_ref(), &labels, gradient);
            (machine.tensor(logits, shape), numbers.map(|of| machine.tensor(of, [shape[0]])))
        })
    }
}

/// Losses and log-sum-exp of the rows of logits, which become their gradients if wanted.
fn softmax<M: Machine>(
    machine: &M,
    logits: &M::Array,
    bias: Option<&M::Array>,
    labels: &M::Array,
    gradient: bool,
) -> [M::Array; 2] {
    let rows = labels.len();
    let [losses, log_sum_exps] = [0, 1].map(|_| machine.array(logits.element(), rows));
    let launch = Launch::of(&SOURCE, "softmax_cross_entropy").output(logits);
    // Something must be bound; it is not read without a bias.
    let launch = launch.input(bias.unwrap_or(&losses)).input(labels);
    let launch = launch.output(&losses).output(&log_sum_exps);
    let launch = launch.count("rows", rows).count("classes", logits.len() / rows);
    let launch = launch.define("GRADIENT", u32::from(gradient));
    let launch = launch.define("BIAS", u32::from(bias.is_some())).group_sums(256);
    machine.launch(launch.grid(rows).block(256));
    [losses, log_sum_exps]
}

/// Losses and log-sum-exp of the rows of all chunks so far.
#[derive(Default)]
struct Rows {
    losses: Vec<Tensor<Wgpu, 1>>,
    log_sum_exps: Vec<Tensor<Wgpu, 1>>,
}

impl Rows {
    fn push(&mut self, [losses, log_sum_exps]: [Tensor<Wgpu, 1>; 2]) {
        self.losses.push(losses);
        self.log_sum_exps.push(log_sum_exps);
    }

    /// `(loss [1], log-sum-exp [L])`
    fn finish(self) -> (Tensor<Wgpu, 1>, Tensor<Wgpu, 1>) {
        let losses = Tensor::cat(self.losses, 0);
        let loss = Wgpu::on(&losses.device(), |machine| {
            machine.tensor(sum(machine, &machine.input(losses)), [1])
        });
        (loss, Tensor::cat(self.log_sum_exps, 0))
    }
}

/// `[R, C] -> [C]`
fn sums_of_columns(x: Tensor<Wgpu, 2>) -> Tensor<Wgpu, 1> {
    let shape = x.dims();
    Wgpu::on(&x.device(), |machine| {
        machine.tensor(column_sums(machine, &machine.input(x), shape), [shape[1]])
    })
}

/// Every kernel of this family in WGSL.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        let some = machine.numbers(1);
        for (gradient, bias) in [(false, false), (false, true), (true, false), (true, true)] {
            softmax(machine, &some, bias.then_some(&some), &some, gradient);
        }
    })
}
