//! Runs on atoms as a whole: the loop, resuming, errors, predictions, exchange.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[cfg(feature = "wgpu")]
#[path = "../support/adapter.rs"]
mod adapter;
#[cfg(feature = "wgpu")]
mod devices;
mod exchange;
mod fixture;
mod mixture;
#[path = "../support/ranks.rs"]
mod ranks;
mod ranks_of_a_run;
mod runs;
mod use_of_models;
