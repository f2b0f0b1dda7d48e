//! The gates of a network, an edge a row.

use super::{SiluKernels, roofline, silu, silu_bend, silu_slope};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: SiluKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let dims @ [rows, width] = [sizes.atoms.rows(), 10 * sizes.atoms.channels];
    let (count, shape) = (rows * width, format!("{rows} x {width}"));
    vec![
        Case::new("forward", shape.clone(), F32, roofline::forward(count, 4), move |at| {
            let x = at.normal(dims, F32);
            move || silu(x.clone())
        }),
        Case::new("slope", shape.clone(), F32, roofline::slope(count, 4), move |at| {
            let [a, x] = at.normals(dims);
            move || silu_slope(a.clone(), x.clone())
        }),
        Case::new("bend", shape, F32, roofline::bend(count, 4), move |at| {
            let [a, b, x] = at.normals(dims);
            move || silu_bend(a.clone(), b.clone(), x.clone())
        }),
    ]
}
