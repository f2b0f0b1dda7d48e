//! The four forms as kernels of a GPU, made from the list of paths.
//!
//! A thread has one channel of one owner (a receiver, an edge's receiver, a row of weights) and walks
//! the owner's edges in order, so each sum has one fixed order and there are no atomics. What all
//! edges of an owner share stays in registers. Neighbouring threads have neighbouring channels, so
//! loads of rows are whole lines, and what depends on the edge alone is one broadcast load. Per edge
//! and path the small matrix `B[m1, m3] = sum over m2 of K Y[m2]` is made anew by every thread, as
//! literals times registers: that costs less than the barrier that sharing it would need.
//!
//! The gradient of the features is written per edge and then summed by sender
//! ([`rows`](crate::families::rows)): walking by receiver reads the wide gradient once per node, walking by
//! sender would read it once per edge.
//!
//! Many paths are cut into parts with a kernel each, so that sums stay in registers.

mod by_edge;
mod by_node;
mod edge;
mod harmonics;
mod parts;
#[cfg(test)]
mod tests;

pub(crate) use by_edge::radial;
pub(crate) use by_node::{to_edges, to_receivers};
pub(crate) use harmonics::{EDGES, harmonics};
