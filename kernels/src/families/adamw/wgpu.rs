//! Both optimizers on wgpu, in place where nobody else holds the buffers.

use burn::tensor::Tensor;

use super::{AdamwStep, AmsgradState};
use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, number, params};
use crate::shape::assert_shape;

params! {
    /// Of both entry points.
    StepParams {
        count: u32,
        grad_scale: f32,
        keep: f32,
        decay: f32,
        first_rate: f32,
        second_keep: f32,
        second_rate: f32,
        correction: f32,
        epsilon: f32,
        step_size: f32,
    }
}

const FILE: Source = Source::file("families/adamw/adamw.wgsl", include_str!("adamw.wgsl"));

fn adamw_shader() -> Shader {
    Shader::new::<StepParams>(FILE, "adamw", 4)
}

fn amsgrad_shader() -> Shader {
    Shader::new::<StepParams>(FILE, "amsgrad", 5)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![adamw_shader(), amsgrad_shader()]
}

fn numbers(length: usize, step: &AdamwStep) -> StepParams {
    StepParams {
        count: count(length),
        grad_scale: number(step.grad_scale),
        keep: number(step.keep()),
        decay: number(step.weight_decay),
        first_rate: number(1.0 - step.beta1),
        second_keep: number(step.beta2),
        second_rate: number(1.0 - step.beta2),
        correction: number(step.second_correction()),
        epsilon: number(step.epsilon),
        step_size: number(step.step_size()),
    }
}

/// [`adamw`](fn@crate::families::adamw::adamw).
pub(crate) fn step(
    param: Tensor<Wgpu, 1>,
    grad: Tensor<Wgpu, 1>,
    first: Tensor<Wgpu, 1>,
    second: Tensor<Wgpu, 1>,
    step: &AdamwStep,
) -> (Tensor<Wgpu, 1>, Tensor<Wgpu, 1>, Tensor<Wgpu, 1>) {
    let [length] = param.dims();
    for (name, other) in [("grad", &grad), ("first", &first), ("second", &second)] {
        assert_shape("adamw", name, other.dims(), [length], "`param` fixes P");
    }
    let [param, first, second] = [param, first, second].map(Array::owned);
    let grad = Array::new(grad);
    let arrays = [&param, &grad, &first, &second];
    adamw_shader().launch(&arrays, &numbers(length, step), groups_of(length));
    (param.tensor([length]), first.tensor([length]), second.tensor([length]))
}

/// [`amsgrad`](fn@crate::families::adamw::amsgrad).
pub(crate) fn amsgrad(
    state: AmsgradState<Wgpu>,
    grad: Tensor<Wgpu, 1>,
    step: &AdamwStep,
) -> AmsgradState<Wgpu> {
    let AmsgradState { param, first, second, largest } = state;
    let [length] = param.dims();
    let others = [("grad", &grad), ("first", &first), ("second", &second), ("largest", &largest)];
    for (name, other) in others {
        assert_shape("amsgrad", name, other.dims(), [length], "`param` fixes P");
    }
    let [param, first, second, largest] = [param, first, second, largest].map(Array::owned);
    let grad = Array::new(grad);
    let arrays = [&param, &grad, &first, &second, &largest];
    amsgrad_shader().launch(&arrays, &numbers(length, step), groups_of(length));
    let [param, first, second, largest] =
        [param, first, second, largest].map(|array| array.tensor([length]));
    AmsgradState { param, first, second, largest }
}
