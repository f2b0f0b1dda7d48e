//! AdamW and AMSGrad on CUDA: one launch, in place where the caller passes the same arrays twice.

use super::AdamwStep;
use crate::machine::cuda::{Array, Launch, Machine, Source};
use crate::machine::launch::Number;

static SOURCE: Source = Source::of("families/adamw/adamw.cu", include_str!("adamw.cu"));
const THREADS: u32 = 256;
/// Numbers of a block.
const BLOCK: usize = 4 * THREADS as usize;

/// Writes parameters, first and second moments after the step.
pub(crate) fn adamw<M: Machine>(
    machine: &M,
    grad: &M::Array,
    [param, first, second]: [&M::Array; 3],
    out: [&M::Array; 3],
    step: &AdamwStep,
) {
    let launch = begin("adamw", &[param, grad, first, second], &out);
    let launch = launch.real(step.grad_scale).real(step.keep());
    finish(machine, launch, grad.len(), step);
}

/// Writes parameters, first, second and largest second moments after the step.
pub(crate) fn amsgrad<M: Machine>(
    machine: &M,
    grad: &M::Array,
    [param, first, second, largest]: [&M::Array; 4],
    out: [&M::Array; 4],
    step: &AdamwStep,
) {
    let launch = begin("amsgrad", &[param, grad, first, second, largest], &out);
    let launch = launch.real(step.grad_scale).real(step.weight_decay);
    finish(machine, launch, grad.len(), step);
}

fn begin<'a, A: Array>(entry: &'static str, inputs: &[&'a A], outputs: &[&'a A]) -> Launch<'a, A> {
    let count = inputs[0].len();
    let all = inputs.iter().chain(outputs);
    assert!(all.clone().all(|array| array.len() == count), "{entry}: buffers differ in length");
    let launch = Launch::of(&SOURCE, entry).define("Real", inputs[0].element().real());
    let launch = inputs.iter().fold(launch, |launch, &array| launch.input(array));
    let launch = outputs.iter().fold(launch, |launch, &array| launch.output(array));
    launch.number(Number::U64(count as u64))
}

fn finish<M: Machine>(machine: &M, launch: Launch<'_, M::Array>, count: usize, step: &AdamwStep) {
    if count == 0 {
        return;
    }
    let launch = launch.real(1.0 - step.beta1).real(step.beta2).real(1.0 - step.beta2);
    let launch = launch.real(step.second_correction()).real(step.epsilon).real(step.step_size());
    machine.launch(launch.block(THREADS).grid(count.div_ceil(BLOCK)));
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
