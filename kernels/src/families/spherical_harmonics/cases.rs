//! The directions of all edges.

use super::{SphericalHarmonicsKernels, roofline};
use super::{spherical_harmonics, spherical_harmonics_backward};
use crate::cases::{Arithmetic::F32, Case, HARMONICS, Place, Sizes};

pub(crate) fn cases<B: SphericalHarmonicsKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let (count, columns) = (sizes.atoms.edges(), (HARMONICS + 1).pow(2));
    let shape = format!("{count} edges l{HARMONICS}");
    let [forward, backward] =
        [roofline::forward, roofline::backward].map(|of| of(count, HARMONICS, 4));
    vec![
        Case::new("forward", shape.clone(), F32, forward, move |at| {
            let vectors = at.normal([count, 3], F32);
            move || spherical_harmonics(vectors.clone(), HARMONICS)
        }),
        Case::new("backward", shape, F32, backward, move |at| {
            let (grad, vectors) = (at.normal([count, columns], F32), at.normal([count, 3], F32));
            move || spherical_harmonics_backward(grad.clone(), vectors.clone())
        }),
    ]
}
