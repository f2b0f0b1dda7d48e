//! The rounding to bf16 on wgpu: integer arithmetic on the bits, since WGSL has no such type.

use burn::tensor::Tensor;

use crate::Wgpu;
use crate::machine::wgpu::{Array, BF16, Shader, Source, count, groups_of, params};

params! {
    /// Of the one entry point.
    RoundParams { count: u32 }
}

const FILE: Source =
    Source::file("families/precision/round_bf16.wgsl", include_str!("round_bf16.wgsl"));

fn shader() -> Shader {
    Shader::new::<RoundParams>(FILE, "round_all", 2).after(BF16)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![shader()]
}

/// [`round_to_bf16`](fn@crate::families::precision::round_to_bf16).
pub(crate) fn round<const D: usize>(x: Tensor<Wgpu, D>) -> Tensor<Wgpu, D> {
    let shape = x.dims();
    let x = Array::new(x);
    let y = x.room(shape);
    shader().launch(&[&x, &y], &RoundParams { count: count(x.len()) }, groups_of(x.len()));
    y.tensor(shape)
}
