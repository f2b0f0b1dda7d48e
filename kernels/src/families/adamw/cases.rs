//! Both optimizers on flat buffers, in place as in training.

use super::{AdamwKernels, AdamwStep, AmsgradState, adamw, amsgrad, roofline};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

const STEP: AdamwStep = AdamwStep {
    rate: 1e-3,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weight_decay: 0.1,
    step: 7,
    grad_scale: 1.0,
};

pub(crate) fn cases<B: AdamwKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let count = sizes.parameters;
    let shape = count.to_string();
    let buffers = move |at: &Place<B>| at.normals([count]).map(burn::tensor::Tensor::abs);
    vec![
        Case::new("adamw", shape.clone(), F32, roofline::step(count, 4), move |at| {
            let [param, grad, first, second] = buffers(at);
            let mut state = Some((param, first, second));
            move || {
                if let Some((param, first, second)) = state.take() {
                    state = Some(adamw(param, grad.clone(), first, second, &STEP));
                }
            }
        }),
        Case::new("amsgrad", shape, F32, roofline::amsgrad(count, 4), move |at| {
            let [param, grad, first, second] = buffers(at);
            let largest = second.clone().mul_scalar(2.0);
            let mut state = Some(AmsgradState { param, first, second, largest });
            move || state = state.take().map(|state| amsgrad(state, grad.clone(), &STEP))
        }),
    ]
}
