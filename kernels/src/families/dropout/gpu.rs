//! Dropout on GPUs: each thread draws the words of its own elements.

use burn::tensor::Tensor;

use super::DropoutMask;
use crate::machine::elementwise::{map, run};
use crate::machine::{Gpu, Launch, Machine, Number, Source};

static SOURCE: Source = Source::both(
    ["families/dropout/dropout.cu", include_str!("dropout.cu")],
    ["families/dropout/dropout.wgsl", include_str!("dropout.wgsl")],
);

/// `x` times the mask.
fn masked<M: Machine>(machine: &M, x: &M::Array, mask: &DropoutMask) -> [M::Array; 1] {
    let numbers = [
        ("key", Number::U64(mask.key)),
        ("index", Number::U64(mask.index)),
        ("threshold", Number::U32(mask.threshold())),
        ("scale", Number::Real(mask.scale())),
    ];
    map(machine, Launch::of(&SOURCE, "dropout"), [x], &numbers)
}

/// [`dropout`](fn@super::dropout).
pub(crate) fn forward<B: Gpu>(x: Tensor<B, 2>, mask: &DropoutMask) -> Tensor<B, 2> {
    let [y] = run([x], "dropout", |machine, [x]| masked(machine, x, mask));
    y
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        masked(machine, &machine.numbers(1), &DropoutMask { rate: 0.5, key: 0, index: 0 });
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
