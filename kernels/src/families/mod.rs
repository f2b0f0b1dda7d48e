//! The operations, one folder per family, simplest first: the contract (`mod.rs`), the reference in Burn
//! operations (`reference.rs`), the autodiff node (`op.rs`), the cost model (`roofline.rs`), the tests, and the
//! kernels of each machine.

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
