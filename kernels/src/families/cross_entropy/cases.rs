//! The loss with its gradients: what training runs.

use super::{CrossEntropyKernels, linear_cross_entropy_gradients, roofline};
use crate::cases::Arithmetic::{self, Bf16, F32};
use crate::cases::{Case, Place, Sequences, Sizes};
use crate::{Precision, Work};

pub(crate) fn cases<B: CrossEntropyKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    [F32, Bf16].map(|it| loss(sizes.sequences, it)).into()
}

fn loss<B: CrossEntropyKernels>(s: Sequences, arithmetic: Arithmetic) -> Case<B> {
    let (tokens, width, vocabulary) = (s.tokens(), s.width, s.vocabulary);
    let shape = format!("{tokens} x {width} x {vocabulary}");
    // Logits are there when their gradients are made: three products, not four.
    let Work { flops, bytes } = roofline::backward(tokens, width, vocabulary, arithmetic.bytes());
    let work = Work { flops: flops + 4.0 * (tokens * vocabulary) as f64, bytes };
    let precision = Precision::of(arithmetic);
    Case::new("with_gradients", shape, arithmetic, work, move |at| {
        let h = at.normal([tokens, width], arithmetic);
        let w = at.normal([vocabulary, width], arithmetic);
        let labels = at.ids(tokens, vocabulary);
        move || {
            let (h, w, labels) = (h.clone(), w.clone(), labels.clone());
            linear_cross_entropy_gradients(h, w, None, labels, precision)
        }
    })
}
