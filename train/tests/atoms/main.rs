//! Runs on atoms as a whole: the loop, resuming, errors, predictions, exchange.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod exchange;
mod fixture;
mod runs;
mod use_of_models;
