//! Linear cross entropy on wgpu: products by Burn, a chunk of logits at a time, and one kernel that
//! takes the softmax of a chunk and leaves the gradient of its logits in their place.

use burn::tensor::{Int, Tensor};

use super::LossAndGradients;
use super::chunks::Labelled;
use crate::families::reduce::wgpu::{column_sums, sum};
use crate::machine::wgpu::{Array, Shader, Source, count, params, spread};
use crate::{Precision, Wgpu};

params! {
    /// Of the one entry point.
    SoftmaxParams { rows: u32, classes: u32 }
}

const FILE: Source =
    Source::file("families/cross_entropy/softmax.wgsl", include_str!("softmax.wgsl"));

fn shader(gradient: bool, bias: bool) -> Shader {
    let shader = Shader::new::<SoftmaxParams>(FILE, "softmax_cross_entropy", 4).with_group_sums();
    shader.constant("GRADIENT", gradient.into()).constant("BIAS", bias.into())
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    [(false, false), (false, true), (true, false), (true, true)]
        .map(|(gradient, bias)| shader(gradient, bias))
        .to_vec()
}

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
        let shape = [chunk.len(), head.classes()];
        bias_sum = bias_sum.map(|sum| sum.add(column_sums(&slopes, shape).tensor([shape[1]])));
        let slopes = precision.operand(slopes.tensor::<2>(shape));
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
    bias: Option<Array>,
}

impl Head {
    fn new(weight: Tensor<Wgpu, 2>, bias: Option<Tensor<Wgpu, 1>>, precision: Precision) -> Self {
        Self { weight: precision.operand(weight), bias: bias.map(Array::new) }
    }

    fn classes(&self) -> usize {
        self.weight.dims()[0]
    }

    /// Logits `[L, V]`, replaced by their gradients if wanted, and `[2, L]`: losses and log-sum-exp.
    fn softmax(
        &self,
        rows: Tensor<Wgpu, 2>,
        labels: Tensor<Wgpu, 2, Int>,
        gradient: bool,
    ) -> (Array, Array) {
        let count_rows = rows.dims()[0];
        let logits = Array::owned(rows.matmul(self.weight.clone().transpose()));
        let labels = Array::ints(labels);
        let row_numbers = logits.room([2, count_rows]);
        let params = SoftmaxParams { rows: count(count_rows), classes: count(self.classes()) };
        // Something must be bound; it is not read without a bias.
        let bias = self.bias.as_ref().unwrap_or(&row_numbers);
        let arrays = [&logits, bias, &labels, &row_numbers];
        shader(gradient, self.bias.is_some()).launch(&arrays, &params, spread(count_rows));
        (logits, row_numbers)
    }
}

/// Losses and log-sum-exp of the rows of all chunks so far.
#[derive(Default)]
struct Rows {
    losses: Vec<Tensor<Wgpu, 1>>,
    log_sum_exps: Vec<Tensor<Wgpu, 1>>,
}

impl Rows {
    fn push(&mut self, row_numbers: Array) {
        let rows = row_numbers.len() / 2;
        let [losses, log_sum_exps] = row_numbers.halves().map(|half| half.tensor([rows]));
        self.losses.push(losses);
        self.log_sum_exps.push(log_sum_exps);
    }

    /// `(loss [1], log-sum-exp [L])`
    fn finish(self) -> (Tensor<Wgpu, 1>, Tensor<Wgpu, 1>) {
        (sum(Tensor::cat(self.losses, 0)), Tensor::cat(self.log_sum_exps, 0))
    }
}
