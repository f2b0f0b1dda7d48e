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

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod emit;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
mod op;
mod recursion;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

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

kernels! {
    pub trait SphericalHarmonicsKernels: Backend {
        fn spherical_harmonics(vectors: Tensor<Self, 2>, max_degree: usize) -> Tensor<Self, 2> {
            reference::forward(vectors, max_degree)
        }
        fn spherical_harmonics_backward(
            grad: Tensor<Self, 2>,
            vectors: Tensor<Self, 2>,
        ) -> Tensor<Self, 2> {
            reference::backward(&grad, vectors)
        }
        fn spherical_harmonics_second(
            along: Tensor<Self, 2>,
            grad: Tensor<Self, 2>,
            vectors: Tensor<Self, 2>,
        ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
            reference::second(along, &grad, vectors)
        }
    }
    cpu {
        spherical_harmonics: cpu::forward,
        spherical_harmonics_backward: cpu::backward,
        spherical_harmonics_second: cpu::second,
    }
    gpu {
        spherical_harmonics: gpu::harmonics,
        spherical_harmonics_backward: gpu::harmonics_backward,
        spherical_harmonics_second: gpu::harmonics_second,
    }
    autodiff {
        spherical_harmonics: op::tracked,
        spherical_harmonics_backward: op::backward_tracked,
    }
}

/// `vectors [E, 3]` to `[E, (max_degree + 1)^2]`, degrees 0 to 6.
pub fn spherical_harmonics<B: SphericalHarmonicsKernels>(
    vectors: Tensor<B, 2>,
    max_degree: usize,
) -> Tensor<B, 2> {
    check("spherical_harmonics", &vectors, None);
    assert_degree(max_degree);
    <B as SphericalHarmonicsKernels>::spherical_harmonics(CHECKED, vectors, max_degree)
}

/// Gradient of the vectors; the columns of `grad` say the degree.
pub fn spherical_harmonics_backward<B: SphericalHarmonicsKernels>(
    grad: Tensor<B, 2>,
    vectors: Tensor<B, 2>,
) -> Tensor<B, 2> {
    check("spherical_harmonics_backward", &vectors, Some(&grad));
    degree_of("spherical_harmonics_backward", grad.dims()[1]);
    <B as SphericalHarmonicsKernels>::spherical_harmonics_backward(CHECKED, grad, vectors)
}

/// Change along `along [E, 3]` of the harmonics and of their gradient.
pub fn spherical_harmonics_second<B: SphericalHarmonicsKernels>(
    along: Tensor<B, 2>,
    grad: Tensor<B, 2>,
    vectors: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let name = "spherical_harmonics_second";
    check(name, &vectors, Some(&grad));
    degree_of(name, grad.dims()[1]);
    assert_shape(name, "along", along.dims(), vectors.dims(), "as `vectors`");
    <B as SphericalHarmonicsKernels>::spherical_harmonics_second(CHECKED, along, grad, vectors)
}

/// Asserts that vectors have three components, and a gradient a row for each.
fn check<B: Backend>(operation: &str, vectors: &Tensor<B, 2>, grad: Option<&Tensor<B, 2>>) {
    let [edges, _] = vectors.dims();
    assert_shape(operation, "vectors", vectors.dims(), [edges, 3], "vectors have 3 components");
    if let Some(grad) = grad {
        let [rows, columns] = grad.dims();
        assert_shape(operation, "grad", [rows, columns], [edges, columns], "`vectors` fixes E");
    }
}
