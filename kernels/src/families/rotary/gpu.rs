//! The rotation on GPUs: a thread for four columns of both halves of a head, in WGSL for one.

use burn::tensor::Tensor;

use crate::machine::{Array, Gpu, Launch, Machine, Source, Tensors};

static SOURCE: Source = Source::both(
    ["families/rotary/rotary.cu", include_str!("rotary.cu")],
    ["families/rotary/rotary.wgsl", include_str!("rotary.wgsl")],
);
const THREADS: u32 = 256;

/// `x [N, H, D]` turned by `cos`, `sin [N, D/2]`.
fn turned<M: Machine>(
    machine: &M,
    [x, cos, sin]: [&M::Array; 3],
    [tokens, heads, width]: [usize; 3],
) -> M::Array {
    let y = machine.array(x.element(), x.len());
    if x.len() == 0 {
        return y;
    }
    let (rows, half) = (tokens * heads, width / 2);
    let launch = Launch::of(&SOURCE, "rotary").define("Real", x.element().real());
    let launch = launch.input(x).input(cos).input(sin).output(&y);
    let launch = launch.count("rows", rows).count("heads", heads).count("half", half);
    let [blocks, groups] =
        [half.div_ceil(4), half].map(|of| (rows * of).div_ceil(THREADS as usize));
    machine.launch(launch.grid(blocks).groups(groups).block(THREADS));
    y
}

/// [`rotary`](fn@super::rotary).
pub(crate) fn forward<B: Gpu>(
    x: Tensor<B, 3>,
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
) -> Tensor<B, 3> {
    let shape = x.dims();
    B::on(&x.device(), |machine| {
        let (x, cos, sin) = (machine.input(x), machine.input(cos), machine.input(sin));
        machine.tensor(turned(machine, [&x, &cos, &sin], shape), shape)
    })
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        turned(machine, [&machine.numbers(2); 3], [1, 1, 2]);
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
