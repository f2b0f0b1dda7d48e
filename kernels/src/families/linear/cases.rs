//! From the width of a token to that of its feed-forward layer.

use super::{LinearKernels, WeightLayout, roofline};
use super::{linear, linear_input_backward, linear_weight_backward};
use crate::Precision;
use crate::cases::Arithmetic::{self, Bf16, F32, F64};
use crate::cases::{Case, Place, Sizes};

const LAYOUT: WeightLayout = WeightLayout::OutIn;

pub(crate) fn cases<B: LinearKernels>(at: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let s = sizes.sequences;
    let of = |it| products([s.tokens(), s.width, s.hidden], it);
    at.can([F32, Bf16, F64]).into_iter().flat_map(of).collect()
}

fn products<B: LinearKernels>([n, i, o]: [usize; 3], arithmetic: Arithmetic) -> [Case<B>; 3] {
    let (precision, shape) = (Precision::of(arithmetic), format!("{n} x {i} x {o}"));
    let work = roofline::forward(n, i, o, arithmetic.bytes());
    [
        Case::new("forward", shape.clone(), arithmetic, work, move |at| {
            let (x, w) = (at.normal([n, i], arithmetic), at.normal([o, i], arithmetic));
            move || linear(x.clone(), w.clone(), None, LAYOUT, precision)
        }),
        Case::new("input_backward", shape.clone(), arithmetic, work, move |at| {
            let (g, w) = (at.normal([n, o], arithmetic), at.normal([o, i], arithmetic));
            move || linear_input_backward(g.clone(), w.clone(), LAYOUT, precision)
        }),
        Case::new("weight_backward", shape, arithmetic, work, move |at| {
            let (g, x) = (at.normal([n, o], arithmetic), at.normal([n, i], arithmetic));
            move || linear_weight_backward(g.clone(), x.clone(), LAYOUT, precision)
        }),
    ]
}
