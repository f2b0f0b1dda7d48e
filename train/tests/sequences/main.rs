//! The training loop as a whole: one binary, because every part needs the same tiny run.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[cfg(feature = "wgpu")]
#[path = "../support/adapter.rs"]
mod adapter;
#[cfg(feature = "wgpu")]
mod devices;
mod faults;
mod fixture;
mod mixture;
mod packing;
#[path = "../support/ranks.rs"]
mod ranks;
mod ranks_of_a_run;
mod resume;
mod saving;
mod steps;
