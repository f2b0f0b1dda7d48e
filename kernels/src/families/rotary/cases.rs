//! The queries of a batch of tokens.

use super::{RotaryKernels, roofline, rotary};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: RotaryKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let s = sizes.sequences;
    let (n, heads, d) = (s.tokens(), s.heads, s.head_width());
    let (shape, work) = (format!("{n} h{heads} d{d}"), roofline::forward(n, heads, d, 4));
    vec![Case::new("forward", shape, F32, work, move |at| {
        let (x, [cos, sin]) = (at.normal([n, heads, d], F32), at.normals([n, d / 2]));
        move || rotary(x.clone(), cos.clone(), sin.clone())
    })]
}
