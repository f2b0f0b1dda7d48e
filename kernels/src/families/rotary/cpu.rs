//! The rotation on the CPU: tokens in blocks, one pass.

use std::mem::MaybeUninit;

use burn::backend::Flex;
use burn::tensor::Tensor;

use crate::cpu::{
    Element, Job, Lanes, Set, filled, for_blocks, input, is_f64, rows_per_block, run, span,
};

/// [`rotary`](fn@crate::families::rotary::rotary).
pub(crate) fn forward(
    x: Tensor<Flex, 3>,
    cos: Tensor<Flex, 2>,
    sin: Tensor<Flex, 2>,
) -> Tensor<Flex, 3> {
    if is_f64("rotary", &[x.dtype(), cos.dtype(), sin.dtype()]) {
        turned::<f64>(x, cos, sin)
    } else {
        turned::<f32>(x, cos, sin)
    }
}

fn turned<T: Element>(
    x: Tensor<Flex, 3>,
    cos: Tensor<Flex, 2>,
    sin: Tensor<Flex, 2>,
) -> Tensor<Flex, 3> {
    let shape = x.dims();
    let [_, heads, width] = shape;
    let (x, cos, sin) = (input(x), input(cos), input(sin));
    let (x, cos, sin) = (T::view(&x), T::view(&cos), T::view(&sin));
    let tokens = rows_per_block(heads * width);
    let write = |block: usize, out: &mut [MaybeUninit<T>], _: &mut [T]| {
        let angles = span(block * tokens * width / 2, tokens * width / 2, cos.len());
        let x = &x[block * tokens * heads * width..][..out.len()];
        let (cos, sin) = (&cos[angles.clone()], &sin[angles]);
        run(Turn { sizes: [heads, width], cos, sin, x, out });
    };
    // SAFETY: every block writes every number of its tokens.
    unsafe { filled(shape, |out| for_blocks((out, tokens * heads * width), (&mut [], 0), write)) }
}

/// The tokens of a block.
struct Turn<'a, T> {
    /// Heads and their width.
    sizes: [usize; 2],
    cos: &'a [T],
    sin: &'a [T],
    x: &'a [T],
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Element> Job for Turn<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let [heads, width] = self.sizes;
        let half = width / 2;
        let angles = self.cos.chunks_exact(half).zip(self.sin.chunks_exact(half));
        let tokens = self.x.chunks_exact(heads * width);
        let tokens = tokens.zip(self.out.chunks_exact_mut(heads * width));
        for ((x, out), (cos, sin)) in tokens.zip(angles) {
            for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                turn::<T::Pack<S>>(x, out, cos, sin);
            }
        }
    }
}

/// One head of one token.
#[inline(always)]
fn turn<P: Lanes>(
    x: &[P::Base],
    out: &mut [MaybeUninit<P::Base>],
    cos: &[P::Base],
    sin: &[P::Base],
) {
    let half = cos.len();
    let (x1, x2) = x.split_at(half);
    let (y1, y2) = out.split_at_mut(half);
    for start in (0..half).step_by(P::LANES) {
        let at = span(start, P::LANES, half);
        let [x1, x2, cos, sin] = [x1, x2, cos, sin].map(|numbers| P::load(&numbers[at.clone()]));
        x1.mul(cos).sub(x2.mul(sin)).put(&mut y1[at.clone()]);
        x2.mul(cos).add(x1.mul(sin)).put(&mut y2[at]);
    }
}
