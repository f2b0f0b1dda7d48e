//! Kernels that are made from tables: one description, printed as CUDA and as WGSL.
//!
//! Which numbers couple with which is known when a network is built, so the kernels of the atoms'
//! families are straight lines of multiply-adds with their coefficients as literals. A family
//! describes them in the small language of `syntax.rs`; `cuda.rs` and `wgsl.rs` print it. What is
//! the same for every table is written by hand in the `.cu` and `.wgsl` files of its family.

mod columns;
mod cuda;
mod print;
mod syntax;
#[cfg(test)]
mod tests;
mod wgsl;

pub(crate) use columns::{Columns, groups_of};
pub(crate) use syntax::{
    Access, Array, Expr, Kernel, Kind, SHARED, Statement, add, barrier, constant, each, element,
    equal, less, name, note, place, real, root, select, set, shared, store, variable, when, whole,
};

/// Threads of a group of an emitted kernel, unless its tile needs fewer: four warps, so that groups of few registers fill a
/// multiprocessor, and half of the 256 that every adapter of WebGPU offers.
pub(crate) const THREADS: u32 = 128;
