//! A batch of tokens in the table of a vocabulary.

use super::{EmbeddingKernels, embedding, embedding_backward, roofline};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: EmbeddingKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let s = sizes.sequences;
    let (n, c, v) = (s.tokens(), s.width, s.vocabulary);
    let shape = format!("{n} x {c} of {v}");
    vec![
        Case::new("forward", shape.clone(), F32, roofline::forward(n, c, 4), move |at| {
            let (table, ids) = (at.normal([v, c], F32), at.ids(n, v));
            move || embedding(table.clone(), ids.clone())
        }),
        Case::new("backward", shape, F32, roofline::backward(n, c, v, 4), move |at| {
            let (grad, ids) = (at.normal([n, c], F32), at.ids(n, v));
            move || embedding_backward(grad.clone(), ids.clone(), v)
        }),
    ]
}
