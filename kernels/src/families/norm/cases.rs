//! Both normalisations of a batch of tokens.

use super::{NormKernels, roofline};
use super::{layer_norm, layer_norm_backward, rms_norm, rms_norm_backward};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

const EPSILON: f64 = 1e-5;

pub(crate) fn cases<B: NormKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let (n, c) = (sizes.sequences.tokens(), sizes.sequences.width);
    let shape = || format!("{n} x {c}");
    vec![
        Case::new("rms_norm", shape(), F32, roofline::rms_norm(n, c, 4), move |at| {
            let (x, w) = (at.normal([n, c], F32), at.normal([c], F32));
            move || rms_norm(x.clone(), w.clone(), EPSILON)
        }),
        Case::new(
            "rms_norm_backward",
            shape(),
            F32,
            roofline::rms_norm_backward(n, c, 4),
            move |at| {
                let ([x, g], w) = (at.normals([n, c]), at.normal([c], F32));
                move || rms_norm_backward(g.clone(), x.clone(), w.clone(), EPSILON)
            },
        ),
        Case::new("layer_norm", shape(), F32, roofline::layer_norm(n, c, 4), move |at| {
            let (x, [w, b]) = (at.normal([n, c], F32), at.normals([c]));
            move || layer_norm(x.clone(), w.clone(), b.clone(), EPSILON)
        }),
        Case::new(
            "layer_norm_backward",
            shape(),
            F32,
            roofline::layer_norm_backward(n, c, 4),
            move |at| {
                let ([x, g], w) = (at.normals([n, c]), at.normal([c], F32));
                move || layer_norm_backward(g.clone(), x.clone(), w.clone(), EPSILON)
            },
        ),
    ]
}
