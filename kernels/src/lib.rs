//! The operations Genesis adds to Burn: one folder per family under `families/`, holding the
//! contract (`mod.rs`), the reference in Burn operations (`reference.rs`), the autodiff node
//! (`op.rs`), the cost model (`roofline.rs`), what is timed (`cases.rs`) and the tests.
//!
//! A family's operations are the functions of its module, which check shapes and ask the backend:
//! its own kernel where it has one, else the reference. [`Kernels`] stands for all families, so a
//! network is written for `B: Kernels`.
//! Not here: networks (`genesis_model`), files, process groups, random streams.

mod bf16;
pub mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod cpu;
mod dispatch;
mod families;
mod formula;
mod graph;
pub mod lend;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod machine;
mod memo;
pub mod oracle;
pub mod roofline;
pub mod shape;
pub mod wigner;

#[cfg(test)]
mod testing;

pub use families::*;
#[cfg(feature = "cuda")]
pub use machine::cuda;
#[cfg(feature = "wgpu")]
pub use machine::wgpu;

pub use burn::backend::Autodiff;
pub use cpu::{Awake, Host};
pub use families::adamw::{AdamwStep, AmsgradState};
pub use families::attention::AttentionProblem;
pub use families::channel_linear::{ChannelLinear, DegreeMap};
pub use families::contraction::{ContractionProblem, Term, Terms};
pub use families::convolution::{ConvolutionProblem, EdgeGraph, EdgeGraphError, Paths};
pub use families::cross_entropy::{IGNORED_LABEL, LossAndGradients};
pub use families::dropout::DropoutMask;
pub use families::gelu::GeluKind;
pub use families::linear::WeightLayout;
pub use families::precision::Precision;
pub use families::radial_basis::RadialBasis;
pub use families::row_mixing::{MixingMatrix, RowMixing};
pub use families::rows::RowIndex;
pub use families::silu_network::SiluNetwork;
pub use families::slope::Half;
pub use genesis_backends::Cpu;
#[cfg(feature = "wgpu")]
pub use genesis_backends::Wgpu;
#[cfg(feature = "cuda")]
pub use genesis_backends::{Cuda, PlainCuda};
pub use roofline::Work;
