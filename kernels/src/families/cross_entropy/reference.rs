//! Linear cross entropy and its gradients in Burn operations, one chunk of rows at a time.

use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use super::LossAndGradients;
use super::chunks::Labelled;
use crate::Precision;
use crate::families::precision::PrecisionKernels;

/// `(loss_sum [1], log_sum_exp [N])`.
///
/// # Panics
/// When a label is neither ignored nor a row of `weight`.
pub fn forward<B: PrecisionKernels>(
    hidden: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    labels: &Tensor<B, 1, Int>,
    precision: Precision,
) -> (Tensor<B, 1>, Tensor<B, 1>) {
    let labelled = Labelled::new(labels, weight.dims()[0]);
    let (device, dtype, tokens) = (hidden.device(), hidden.dtype(), hidden.dims()[0]);
    let mut loss = Tensor::zeros([1], (&device, dtype));
    if labelled.is_empty() {
        return (loss, Tensor::zeros([tokens], (&device, dtype)));
    }
    let head = Head::new(weight, bias, precision);
    let hidden = precision.operand(labelled.take(hidden));
    let mut lses = vec![];
    for chunk in labelled.chunks() {
        let logits = head.logits(hidden.clone().narrow(0, chunk.start, chunk.len()));
        let lse = log_sum_exp(logits.clone());
        let chosen = logits.gather(1, labelled.labels(&chunk));
        loss = loss.add(lse.clone().sub(chosen).sum());
        lses.push(lse.squeeze_dim::<1>(1));
    }
    (loss, labelled.put(Tensor::cat(lses, 0)))
}

/// The same with the gradients of the loss.
///
/// # Panics
/// As [`forward`].
pub fn with_gradients<B: PrecisionKernels>(
    hidden: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    labels: &Tensor<B, 1, Int>,
    precision: Precision,
) -> LossAndGradients<B> {
    let (loss, log_sum_exp) =
        forward(hidden.clone(), weight.clone(), bias.clone(), labels, precision);
    let labelled = Labelled::new(labels, weight.dims()[0]);
    let mut dweight = Tensor::zeros(weight.dims(), (&weight.device(), weight.dtype()));
    let mut dbias = bias.clone().map(|bias| bias.zeros_like());
    if labelled.is_empty() {
        let hidden = hidden.zeros_like();
        return LossAndGradients { loss, log_sum_exp, hidden, weight: dweight, bias: dbias };
    }
    let head = Head::new(weight, bias, precision);
    let hidden = precision.operand(labelled.take(hidden));
    let mut dhidden = vec![];
    for chunk in labelled.chunks() {
        let rows = hidden.clone().narrow(0, chunk.start, chunk.len());
        let dlogits = logit_gradient(head.logits(rows.clone()), labelled.labels(&chunk));
        dbias = dbias.map(|sum| sum.add(dlogits.clone().sum_dim(0).squeeze_dim(0)));
        let dlogits = precision.operand(dlogits);
        dhidden.push(dlogits.clone().matmul(head.weight.clone()));
        dweight = dweight.add(dlogits.transpose().matmul(rows));
    }
    let hidden = labelled.put(Tensor::cat(dhidden, 0));
    LossAndGradients { loss, log_sum_exp, hidden, weight: dweight, bias: dbias }
}

/// `softmax - one-hot`, `[rows, V]`.
fn logit_gradient<B: PrecisionKernels>(
    logits: Tensor<B, 2>,
    labels: Tensor<B, 2, Int>,
) -> Tensor<B, 2> {
    let lse = log_sum_exp(logits.clone());
    let probabilities = logits.sub(lse);
    let minus_one = Tensor::ones(labels.dims(), (&labels.device(), probabilities.dtype())).neg();
    probabilities.exp().scatter(1, labels, minus_one, IndexingUpdateOp::Add)
}

/// `[rows, V] -> [rows, 1]`, stable for any finite logits.
fn log_sum_exp<B: PrecisionKernels>(logits: Tensor<B, 2>) -> Tensor<B, 2> {
    let largest = logits.clone().max_dim(1);
    logits.sub(largest.clone()).exp().sum_dim(1).log().add(largest)
}

/// The linear map, its weight rounded once.
struct Head<B: PrecisionKernels> {
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 2>>,
}

impl<B: PrecisionKernels> Head<B> {
    fn new(weight: Tensor<B, 2>, bias: Option<Tensor<B, 1>>, precision: Precision) -> Self {
        Self { weight: precision.operand(weight), bias: bias.map(Tensor::unsqueeze) }
    }

    fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        let logits = hidden.matmul(self.weight.clone().transpose());
        match &self.bias {
            Some(bias) => logits.add(bias.clone()),
            None => logits,
        }
    }
}
