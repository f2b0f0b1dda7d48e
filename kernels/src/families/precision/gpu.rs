//! The rounding to bf16 on GPUs: integer arithmetic on the bits.

use burn::tensor::Tensor;

use crate::machine::elementwise::{map, run};
use crate::machine::{Gpu, Launch, Machine, Source};

static SOURCE: Source = Source::both(
    ["machine/cuda/rounding.cu", include_str!("../../machine/cuda/rounding.cu")],
    ["families/precision/round_bf16.wgsl", include_str!("round_bf16.wgsl")],
);

fn rounded<M: Machine>(machine: &M, x: &M::Array) -> [M::Array; 1] {
    let launch = Launch::of(&SOURCE, "round_to_bf16");
    #[cfg(feature = "wgpu")]
    let launch = launch.behind(crate::machine::wgpu::BF16, 0);
    map(machine, launch, [x], &[])
}

/// [`round_to_bf16`](fn@super::round_to_bf16).
pub(crate) fn round<B: Gpu, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let [y] = run([x], "round_to_bf16", |machine, [x]| rounded(machine, x));
    y
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        rounded(machine, &machine.numbers(1));
    })
}
