//! Tables of rotations in three dimensions: coupling coefficients and rotation matrices of real
//! spherical harmonics, in f64 on the host.
//!
//! ```text
//! maths     C(l1,l2,l3)[m1,m2,m3]: the one invariant tensor of three degrees, norm 1
//!           D_l(R): how the 2l+1 components of degree l change under the rotation R
//! basis     real, components ordered as e3nn does: degree 1 is (x, y, z), the polar axis is y
//! signs     C is fixed up to a sign; e3nn 0.4.4 and 0.5 differ for some triples (`SignTable`)
//! accuracy  1e-14 for degrees to 6
//! source    Racah, "Theory of Complex Spectra II", Phys. Rev. 62, 438 (1942), eq. 16;
//!           Varshalovich et al., "Quantum Theory of Angular Momentum", sections 4.6 and 8.2
//! ```
//!
//! No reference: these are numbers on the host, not an operation on tensors.
//! No op: nothing here is differentiated.
//! No roofline: computed once per run.

mod coupling;
mod rotation;
#[cfg(test)]
mod tests;

pub use coupling::{Coupling, CouplingTerm, SignTable, coupling};
pub use rotation::rotation_matrix;
