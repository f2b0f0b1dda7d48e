//! Kernels that are described once and printed as CUDA and as WGSL: from tables, and from elementwise formulas.
//!
//! Which numbers couple with which is known when a network is built, so the kernels of the atoms'
//! families are straight lines of multiply-adds with their coefficients as literals. A family
//! describes them in the small language of `syntax.rs`; `cuda.rs` and `wgsl.rs` print it. What is
//! the same for every table is written by hand in the `.cu` and `.wgsl` files of its family.

mod columns;
mod cuda;
mod formula;
mod print;
mod symbol;
mod syntax;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "wgpu"))]
mod wgsl;

pub(crate) use columns::{Columns, groups_of};
pub(crate) use cuda::FOURS;
pub(crate) use formula::{THREADS as FORMULA_THREADS, Written};
pub(crate) use syntax::{
    Access, Array, Expr, Kernel, Kind, SHARED, Statement, add, barrier, constant, each, element,
    equal, less, name, place, real, root, select, shared, store, variable, when, whole,
};

/// Threads of a group of an emitted kernel, unless its tile needs fewer: four warps, so that kernels of
/// 128 registers have four groups on a multiprocessor; every adapter of WebGPU offers 256.
pub(crate) const THREADS: u32 = 128;
