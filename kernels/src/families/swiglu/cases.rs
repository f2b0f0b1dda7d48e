//! The hidden layer of a batch of tokens.

use super::{SwigluKernels, roofline, swiglu, swiglu_backward};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: SwigluKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let dims @ [n, f] = [sizes.sequences.tokens(), sizes.sequences.hidden];
    let shape = format!("{n} x {f}");
    vec![
        Case::new("forward", shape.clone(), F32, roofline::forward(n * f, 4), move |at| {
            let [gate, up] = at.normals(dims);
            move || swiglu(gate.clone(), up.clone())
        }),
        Case::new("backward", shape, F32, roofline::backward(n * f, 4), move |at| {
            let [g, gate, up] = at.normals(dims);
            move || swiglu_backward(g.clone(), gate.clone(), up.clone())
        }),
    ]
}
