//! The operations Genesis adds to Burn, simplest first: one folder per family, holding the
//! contract (`mod.rs`), the reference in Burn operations (`reference.rs`), the autodiff node
//! (`op.rs`), the cost model (`roofline.rs`) and the tests.
//!
//! [`Kernels`] is the one trait a backend implements. Every method has the reference as its
//! default body, so a backend is correct on day one and a kernel written for it is an override.
//! Not here: networks (`genesis_model`), files, process groups, random streams.

pub mod adamw;
pub mod attention;
mod awake;
mod backend;
mod backend_autodiff;
mod backend_cpu;
#[cfg(feature = "cuda")]
mod backend_cuda;
#[cfg(feature = "cuda")]
mod backend_plain;
#[cfg(feature = "wgpu")]
mod backend_wgpu;
pub mod channel_linear;
pub mod contraction;
pub mod convolution;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod cpu;
pub mod cross_entropy;
#[cfg(all(test, unix, not(feature = "cuda")))]
mod cuda;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod dropout;
pub mod embedding;
#[cfg(any(test, feature = "cuda", feature = "wgpu"))]
mod emit;
pub mod gelu;
mod graph;
pub mod linear;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod matmul;
mod memo;
pub mod norm;
pub mod oracle;
pub mod precision;
pub mod radial_basis;
pub mod reduce;
pub mod registry;
pub mod roofline;
pub mod rotary;
pub mod row_mixing;
pub mod rows;
pub mod shape;
pub mod silu;
pub mod silu_network;
pub mod slope;
pub mod spherical_harmonics;
pub mod swiglu;
#[cfg(feature = "wgpu")]
pub mod wgpu;
pub mod wigner;

#[cfg(test)]
mod testing;

pub use adamw::{AdamwStep, AmsgradState};
pub use attention::AttentionProblem;
pub use awake::Awake;
pub use backend::{Cpu, Kernels};
#[cfg(feature = "cuda")]
pub use backend_cuda::Cuda;
#[cfg(feature = "cuda")]
pub use backend_plain::PlainCuda;
#[cfg(feature = "wgpu")]
pub use backend_wgpu::Wgpu;
pub use burn::backend::Autodiff;
pub use channel_linear::{ChannelLinear, DegreeMap};
pub use contraction::{ContractionProblem, Term, Terms};
pub use convolution::{ConvolutionProblem, EdgeGraph, EdgeGraphError, Paths};
pub use cross_entropy::{IGNORED_LABEL, LossAndGradients};
pub use dropout::DropoutMask;
pub use gelu::GeluKind;
pub use linear::WeightLayout;
pub use precision::Precision;
pub use radial_basis::RadialBasis;
pub use roofline::Work;
pub use row_mixing::{MixingMatrix, RowMixing};
pub use rows::RowIndex;
pub use silu_network::SiluNetwork;
pub use slope::Half;
