//! Curves of all edges.

use super::{SlopeKernels, dot_rows, roofline, scale_rows};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: SlopeKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let dims @ [rows, width] = [sizes.atoms.rows(), 10 * sizes.atoms.channels];
    let shape = format!("{rows} x {width}");
    vec![
        Case::new("dot_rows", shape.clone(), F32, roofline::dot(rows, width, 4), move |at| {
            let [a, b] = at.normals(dims);
            move || dot_rows(a.clone(), b.clone())
        }),
        Case::new("scale_rows", shape, F32, roofline::scale(rows, width, 4), move |at| {
            let (scales, a) = (at.normal([rows, 1], F32), at.normal(dims, F32));
            move || scale_rows(scales.clone(), a.clone())
        }),
    ]
}
