//! The hidden layer of a batch of tokens.

use super::{GeluKernels, GeluKind, gelu, gelu_backward, roofline};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

const ERF: GeluKind = GeluKind::Erf;

pub(crate) fn cases<B: GeluKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let dims @ [n, f] = [sizes.sequences.tokens(), sizes.sequences.hidden];
    let shape = format!("{n} x {f}");
    vec![
        Case::new("forward_erf", shape.clone(), F32, roofline::forward(n * f, ERF, 4), move |at| {
            let x = at.normal(dims, F32);
            move || gelu(x.clone(), ERF)
        }),
        Case::new("backward_erf", shape, F32, roofline::backward(n * f, ERF, 4), move |at| {
            let [g, x] = at.normals(dims);
            move || gelu_backward(g.clone(), x.clone(), ERF)
        }),
    ]
}
