//! Training on one batch as `torch.optim.Adam(amsgrad=True)` does it, as reference curves are made.

use burn::tensor::Tensor;
use genesis_kernels::Cpu;
use genesis_model::Params;
use genesis_model::equivariant::{LossConfig, LossCounts, loss_and_gradients};
use genesis_schema::GraphBatch;

use crate::structures::{StructuresError, StructuresModel};
use crate::trainer::optim::{AdamSettings, Optimizer, Rule};

/// `torch.optim.Adam(lr=5e-3, amsgrad=True)`: no decay, no clip.
const RATE: f64 = 5e-3;
const RULE: Rule =
    Rule::Amsgrad(AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 });

/// Loss of `batch` and its gradients in the order of the specs.
pub(super) fn gradients(
    model: &StructuresModel,
    params: &Params<Cpu>,
    batch: &GraphBatch,
    loss: &LossConfig,
) -> Result<(f64, Vec<Tensor<Cpu, 1>>), StructuresError> {
    let counts = LossCounts::of(batch);
    let found = loss_and_gradients(&model.blueprint, params, batch, loss, counts)?;
    Ok((found.terms.total(), found.gradients))
}

/// Losses before each of `steps` updates.
pub(super) fn losses(
    model: &StructuresModel,
    batch: &GraphBatch,
    loss: &LossConfig,
    steps: usize,
) -> Result<Vec<f64>, StructuresError> {
    let mut params = model.params.clone();
    let mut optimizer = Optimizer::new(RULE, &params);
    let mut losses = Vec::with_capacity(steps);
    for _ in 0..steps {
        let (loss, gradients) = gradients(model, &params, batch, loss)?;
        losses.push(loss);
        optimizer.step(&mut params, gradients, 1.0, RATE);
    }
    Ok(losses)
}
