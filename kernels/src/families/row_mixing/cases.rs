//! Coefficients of all monomials from a dozen weights each output, a third of them.

use std::sync::Arc;

use super::{MixingMatrix, RowMixing, RowMixingKernels, mix_rows, roofline};
use crate::cases::{Arithmetic::F32, Case, Place, SPECIES, Sizes};

pub(crate) fn cases<B: RowMixingKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let a = sizes.atoms;
    let (t, k) = (a.monomials().len(), 12 * (a.degree + 1).pow(2));
    let dense: Vec<f64> = (0..t * k).map(|at| if at % 7 < 2 { 0.5 } else { 0.0 }).collect();
    let mixing = RowMixing {
        matrix: Arc::new(MixingMatrix::new(&dense, k)),
        tables: (0..SPECIES).collect(),
        num_tables: SPECIES,
    };
    let work = roofline::form(&mixing, a.channels, 4);
    let shape = format!("{SPECIES} x {t} of {k} c{}", a.channels);
    vec![Case::new("forward", shape, F32, work, move |at| {
        let (weights, mixing) = (at.normal([SPECIES, k, a.channels], F32), mixing.clone());
        move || mix_rows(weights.clone(), &mixing)
    })]
}
