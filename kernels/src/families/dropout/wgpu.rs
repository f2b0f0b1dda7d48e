//! Dropout on wgpu: every thread draws the word of its element.

use burn::tensor::Tensor;

use super::DropoutMask;
use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, number, params};

params! {
    /// Of the one entry point.
    DropoutParams {
        count: u32,
        threshold: u32,
        key_low: u32,
        key_high: u32,
        index_low: u32,
        index_high: u32,
        scale: f32,
    }
}

const FILE: Source = Source::file("families/dropout/dropout.wgsl", include_str!("dropout.wgsl"));

fn shader() -> Shader {
    Shader::new::<DropoutParams>(FILE, "dropout", 2)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![shader()]
}

/// [`dropout`](fn@crate::families::dropout::dropout).
pub(crate) fn forward(x: Tensor<Wgpu, 2>, mask: &DropoutMask) -> Tensor<Wgpu, 2> {
    let shape = x.dims();
    let x = Array::new(x);
    let y = x.room(shape);
    let [key_low, key_high] = halves(mask.key);
    let [index_low, index_high] = halves(mask.index);
    let params = DropoutParams {
        count: count(x.len()),
        threshold: mask.threshold(),
        key_low,
        key_high,
        index_low,
        index_high,
        scale: number(mask.scale()),
    };
    shader().launch(&[&x, &y], &params, groups_of(x.len()));
    y.tensor(shape)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}
