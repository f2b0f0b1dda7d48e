//! The gradient of one optimizer step, summed over accumulation slices.
//!
//! Labels of the whole step are counted on the host before the first backward pass, over all slices and
//! ranks, and every slice's loss sum is divided by that one count. So slices with different numbers of labels
//! give the gradient of one big batch, which a mean of means would not.

use burn::tensor::Tensor;
use genesis_kernels::{Autodiff, Kernels};
use genesis_model::{Mode, Packed, Params, Transformer, TransformerConfig};
use genesis_schema::TokenBatch;

/// Labels of a step over all its slices.
pub fn count_labels(slices: &[TokenBatch]) -> usize {
    slices.iter().map(TokenBatch::num_labels).sum()
}

/// What the slices add to the mean nats per label of a step of `num_labels`, and to its gradients in the order
/// of the parameter specs.
///
/// `mode(slice)` says how each slice is run; dropout masks must differ between slices.
pub fn accumulate<B: Kernels>(
    config: &TransformerConfig,
    params: &Params<B>,
    slices: &[TokenBatch],
    num_labels: f64,
    mode: impl Fn(u64) -> Mode,
    device: &B::Device,
) -> (f64, Vec<Tensor<B, 1>>) {
    let _awake = B::keep_awake();
    let mut loss = 0.0;
    let mut total: Option<Vec<Tensor<B, 1>>> = None;
    for (index, batch) in slices.iter().enumerate() {
        let tracked = params.track();
        let model = Transformer::bind(config, &tracked);
        let packed = Packed::<Autodiff<B>>::upload(batch, device);
        let mean_part = model.loss_sum(&packed, &mode(index as u64)).div_scalar(num_labels);
        loss += mean_part.clone().inner().into_data().iter::<f64>().sum::<f64>();
        let gradients = tracked.gradients(&mut mean_part.backward());
        total = Some(match total {
            None => gradients,
            Some(total) => total.into_iter().zip(gradients).map(|(a, b)| a.add(b)).collect(),
        });
    }
    (loss, total.unwrap_or_default())
}
