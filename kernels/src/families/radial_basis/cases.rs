//! Bessel functions of the lengths of all edges.

use super::{RadialBasis, RadialBasisKernels, radial_basis, roofline};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes};

pub(crate) fn cases<B: RadialBasisKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let (count, basis) = (sizes.atoms.edges(), RadialBasis { num: 8, radius: 5.0, power: 5 });
    let work = roofline::forward(count, basis.num, 4);
    vec![Case::new("forward", format!("{count} lengths k{}", basis.num), F32, work, move |at| {
        let lengths = at.normal([count, 1], F32).abs().add_scalar(0.5);
        move || radial_basis(lengths.clone(), &basis)
    })]
}
