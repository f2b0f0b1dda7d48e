//! AdamW and AMSGrad in Burn operations. Each buffer is consumed, so a backend that owns it alone
//! works in place; three temporaries of length P remain.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{AdamwStep, AmsgradState};

/// `(parameters, first moments, second moments)` after the step.
pub fn step<B: Backend>(
    param: Tensor<B, 1>,
    grad: Tensor<B, 1>,
    first: Tensor<B, 1>,
    second: Tensor<B, 1>,
    step: &AdamwStep,
) -> (Tensor<B, 1>, Tensor<B, 1>, Tensor<B, 1>) {
    let grad = scaled(grad, step);
    let change = grad.clone().sub(first.clone()).mul_scalar(1.0 - step.beta1);
    let first = first.add(change);
    let square = grad.clone().mul(grad).mul_scalar(1.0 - step.beta2);
    let second = second.mul_scalar(step.beta2).add(square);
    let root = second.clone().sqrt().div_scalar(step.second_correction());
    let move_by = first.clone().div(root.add_scalar(step.epsilon)).mul_scalar(step.step_size());
    (param.mul_scalar(step.keep()).sub(move_by), first, second)
}

/// The state after the step of Adam with AMSGrad.
pub fn amsgrad<B: Backend>(
    state: AmsgradState<B>,
    grad: Tensor<B, 1>,
    step: &AdamwStep,
) -> AmsgradState<B> {
    let AmsgradState { param, first, second, largest } = state;
    let grad = scaled(grad, step);
    let grad = match step.weight_decay {
        0.0 => grad,
        decay => grad.add(param.clone().mul_scalar(decay)),
    };
    let change = grad.clone().sub(first.clone()).mul_scalar(1.0 - step.beta1);
    let first = first.add(change);
    let square = grad.clone().mul(grad).mul_scalar(1.0 - step.beta2);
    let second = second.mul_scalar(step.beta2).add(square);
    let largest = largest.max_pair(second.clone());
    let root = largest.clone().sqrt().div_scalar(step.second_correction());
    let move_by = first.clone().div(root.add_scalar(step.epsilon)).mul_scalar(step.step_size());
    AmsgradState { param: param.sub(move_by), first, second, largest }
}

fn scaled<B: Backend>(grad: Tensor<B, 1>, step: &AdamwStep) -> Tensor<B, 1> {
    match step.grad_scale {
        1.0 => grad,
        scale => grad.mul_scalar(scale),
    }
}
