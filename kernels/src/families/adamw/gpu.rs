//! AdamW and AMSGrad on GPUs: one launch, in place where nobody else holds the buffers.

use burn::tensor::Tensor;

use super::{AdamwStep, AmsgradState};
use crate::machine::{Array, Gpu, Language, Launch, Machine, Number, Source, Tensors};

static SOURCE: Source = Source::both(
    ["families/adamw/adamw.cu", include_str!("adamw.cu")],
    ["families/adamw/adamw.wgsl", include_str!("adamw.wgsl")],
);
const THREADS: u32 = 256;
/// Numbers of a thread in CUDA.
const PACK: usize = 4;

/// Writes parameters, first and second moments after the step, and of AMSGrad the largest second moments.
/// Kernels in WGSL change `out`, which holds the numbers before.
fn step<M: Machine, const P: usize>(
    machine: &M,
    grad: &M::Array,
    state: [&M::Array; P],
    out: [&M::Array; P],
    step: &AdamwStep,
) {
    let (entry, decay) =
        if P == 3 { ("adamw", step.keep()) } else { ("amsgrad", step.weight_decay) };
    let count = grad.len();
    let all = state.iter().chain(&out);
    assert!(all.clone().all(|array| array.len() == count), "{entry}: buffers differ in length");
    if count == 0 {
        return;
    }
    let launch = Launch::of(&SOURCE, entry).define("Real", grad.element().real());
    let launch = match M::LANGUAGE {
        Language::Cuda => {
            let launch = launch.input(state[0]).input(grad);
            let launch = state[1..].iter().fold(launch, |launch, &array| launch.input(array));
            out.iter().fold(launch, |launch, &array| launch.output(array))
        }
        Language::Wgsl => {
            let launch = launch.output(out[0]).input(grad);
            out[1..].iter().fold(launch, |launch, &array| launch.output(array))
        }
    };
    let launch = [
        ("grad_scale", step.grad_scale),
        ("decay", decay),
        ("first_rate", 1.0 - step.beta1),
        ("second_keep", step.beta2),
        ("second_rate", 1.0 - step.beta2),
        ("correction", step.second_correction()),
        ("epsilon", step.epsilon),
        ("step_size", step.step_size()),
    ]
    .into_iter()
    .fold(launch.count("count", count), |launch, (name, x)| launch.named(name, Number::Real(x)));
    let [blocks, groups] =
        [PACK * THREADS as usize, THREADS as usize].map(|numbers| count.div_ceil(numbers));
    machine.launch(launch.grid(blocks).groups(groups).block(THREADS));
}

/// [`adamw`](fn@super::adamw).
pub(crate) fn adamw<B: Gpu>(
    param: Tensor<B, 1>,
    grad: Tensor<B, 1>,
    first: Tensor<B, 1>,
    second: Tensor<B, 1>,
    step: &AdamwStep,
) -> (Tensor<B, 1>, Tensor<B, 1>, Tensor<B, 1>) {
    let [param, first, second] = update(grad, [param, first, second], step);
    (param, first, second)
}

/// [`amsgrad`](fn@super::amsgrad).
pub(crate) fn amsgrad<B: Gpu>(
    state: AmsgradState<B>,
    grad: Tensor<B, 1>,
    step: &AdamwStep,
) -> AmsgradState<B> {
    let AmsgradState { param, first, second, largest } = state;
    let [param, first, second, largest] = update(grad, [param, first, second, largest], step);
    AmsgradState { param, first, second, largest }
}

fn update<B: Gpu, const P: usize>(
    grad: Tensor<B, 1>,
    state: [Tensor<B, 1>; P],
    by: &AdamwStep,
) -> [Tensor<B, 1>; P] {
    let shape = grad.dims();
    B::on(&grad.device(), |machine| {
        let state = state.map(|buffer| machine.input(buffer));
        let out = state.each_ref().map(|buffer| machine.in_place_of(buffer));
        step(machine, &machine.input(grad), state.each_ref(), out.each_ref(), by);
        out.map(|buffer| machine.tensor(buffer, shape))
    })
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        let (some, by) = (machine.numbers(1), super::tests::scalars(1));
        step(machine, &some, [&some; 3], [&some; 3], &by);
        step(machine, &some, [&some; 4], [&some; 4], &by);
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
