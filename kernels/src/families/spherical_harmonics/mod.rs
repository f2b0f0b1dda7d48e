//! Real spherical harmonics of the directions of vectors, degrees 0 to 6.
//!
//! ```text
//! maths     u = v / |v|; Y_0 = 1, Y_1 = sqrt(3) u,
//!           Y_l[m] = sum over i, j of A_l[i,j,m] u[i] Y_{l-1}[j], A_l a multiple of C(1, l-1, l)
//! scale     |Y_l|^2 = 2 l + 1 ("component" normalisation); Y_l is positive at (0, 1, 0) in its
//!           middle component
//! order     that of e3nn: the polar axis is y; degree 1 is (x, y, z)
//! layout    v [E, 3] in any unit; Y [E, (L + 1)^2], degrees ascending
//! backward  g to dv = d<g, Y>/dv, and the derivative of both along a direction w of v
//! zero      where v^2 sums to zero the direction is unknown: Y_0 = 1, all else 0, as are all
//!           derivatives. An edge of length zero is an error long before it gets here.
//! dtypes    f32 or f64
//! source    e3nn's conventions, Geiger and Smidt, arXiv:2207.09453, section 2
//! ```

#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
#[cfg(any(test, feature = "cuda", feature = "wgpu"))]
pub(crate) mod emit;
mod op;
mod recursion;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

pub(crate) use op::{backward_tracked, tracked};

/// Highest degree.
pub const MAX_DEGREE: usize = 6;

/// The highest degree of `columns = (L + 1)^2` harmonics.
pub(crate) fn degree_of(operation: &str, columns: usize) -> usize {
    let found = (0..=MAX_DEGREE).find(|degree| (degree + 1) * (degree + 1) == columns);
    assert!(
        found.is_some(),
        "{operation}: {columns} columns are not (L + 1)^2 for a degree L of 0 to {MAX_DEGREE}"
    );
    found.unwrap_or_default()
}

/// Asserts that a degree is supported.
pub(crate) fn assert_degree(max_degree: usize) {
    assert!(
        max_degree <= MAX_DEGREE,
        "spherical_harmonics: degree {max_degree} is above {MAX_DEGREE}, the highest there is"
    );
}
