//! The hidden layer of a batch of tokens.

use super::{DropoutKernels, DropoutMask, dropout, roofline};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: DropoutKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let dims @ [n, f] = [sizes.sequences.tokens(), sizes.sequences.hidden];
    let work = roofline::forward(n * f, 4);
    vec![Case::new("forward", format!("{n} x {f}"), F32, work, move |at| {
        let (x, mask) = (at.normal(dims, F32), DropoutMask { rate: 0.1, key: 1, index: 2 });
        move || dropout(x.clone(), &mask)
    })]
}
