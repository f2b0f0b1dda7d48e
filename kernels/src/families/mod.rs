//! The operations, one folder per family: the contract, its trait and who implements it with what
//! (`mod.rs`), the reference in Burn operations (`reference.rs`), the autodiff node (`op.rs`), the cost
//! model (`roofline.rs`), what is timed (`cases.rs`), the tests, and the kernels of each machine. Here is their list.
//!
//! Letters: N tokens, S segments, H query heads, G key heads, D head width, C model width,
//! F feed-forward width, I and O inputs and outputs of a linear map, V vocabulary, P parameters.

pub mod adamw;
pub mod attention;
pub mod channel_linear;
pub mod contraction;
pub mod convolution;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
pub mod gelu;
pub mod linear;
pub mod norm;
pub mod precision;
pub mod radial_basis;
pub mod reduce;
pub mod rotary;
pub mod row_mixing;
pub mod rows;
pub mod silu;
pub mod silu_network;
pub mod slope;
pub mod spherical_harmonics;
pub mod swiglu;

#[cfg(test)]
mod refusals_tests;

use crate::cases::{Case, Place, Sizes};
use crate::cpu::Host;
use crate::lend::Lend;
use genesis_backends::Cpu;

/// A family is its `mod` line and its line here.
macro_rules! families {
    ($($family:ident::$kernels:ident,)+) => {
        /// Every operation of Genesis that Burn does not have, or that we want fused: what a network is
        /// written for.
        ///
        /// Call the functions of the families, such as [`silu::silu`]. They check shapes, then ask the
        /// backend, which has a kernel of its own or the reference. An autodiff backend registers one node
        /// of the graph per call, whose backward calls the functions on the backend below it; the
        /// references are Burn operations, so `Autodiff<Autodiff<B>>` differentiates once more.
        pub trait Kernels: Host + Lend $(+ $family::$kernels)+ {
            /// Operations that have a kernel of this backend; all others are the references.
            fn own_kernels() -> Vec<&'static str> {
                [$(<Self as $family::$kernels>::OWN),+].concat()
            }
        }

        impl<B: Host + Lend $(+ $family::$kernels)+> Kernels for B {}

        /// Every operation, in the order of the families.
        pub fn operations() -> Vec<&'static str> {
            [$(<Cpu as $family::$kernels>::OPERATIONS),+].concat()
        }

        /// Every operation to time, with its family.
        pub fn all_cases<B: Kernels>(at: &Place<B>, sizes: &Sizes) -> Vec<(&'static str, Case<B>)> {
            let mut all = vec![];
            $(
                let cases = $family::cases::cases(at, sizes);
                all.extend(cases.into_iter().map(|case| (stringify!($family), case)));
            )+
            all
        }

        /// A wrong shape for every operation.
        #[cfg(test)]
        pub(crate) fn refusals() -> Vec<refusals_tests::Refusal> {
            let mut all = vec![];
            $(all.extend($family::refusals());)+
            all
        }

        /// Every kernel in WGSL.
        #[cfg(all(test, feature = "wgpu"))]
        pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
            [$($family::shaders()),+].concat()
        }

        /// Names of the families, which are those of their folders.
        pub const FAMILIES: &[&str] = &[$(stringify!($family)),+];
    };
}

families! {
    adamw::AdamwKernels,
    attention::AttentionKernels,
    channel_linear::ChannelLinearKernels,
    contraction::ContractionKernels,
    convolution::ConvolutionKernels,
    cross_entropy::CrossEntropyKernels,
    dropout::DropoutKernels,
    embedding::EmbeddingKernels,
    gelu::GeluKernels,
    linear::LinearKernels,
    norm::NormKernels,
    precision::PrecisionKernels,
    radial_basis::RadialBasisKernels,
    reduce::ReduceKernels,
    rotary::RotaryKernels,
    row_mixing::RowMixingKernels,
    rows::RowsKernels,
    silu::SiluKernels,
    silu_network::SiluNetworkKernels,
    slope::SlopeKernels,
    spherical_harmonics::SphericalHarmonicsKernels,
    swiglu::SwigluKernels,
}
