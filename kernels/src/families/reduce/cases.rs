//! The norm of all gradients.

use super::{ReduceKernels, roofline, sum_of_squares};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: ReduceKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let count = sizes.parameters;
    let work = roofline::sum_of_squares(count, 4);
    vec![Case::new("sum_of_squares", count.to_string(), F32, work, move |at| {
        let x = at.normal([count], F32);
        move || sum_of_squares(x.clone())
    })]
}
