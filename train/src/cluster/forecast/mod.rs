//! Forecast: what a run on many ranks will take, from figures of one.
//!
//! Formulas alone, of numbers alone: [`memory`] of a rank, [`mod@link`] between ranks, [`mod@step`] of all. How far they are
//! from what is measured stands in `docs/guides/many-ranks.md`.

pub mod link;
pub mod memory;
pub mod step;

pub use link::{Link, SHARED_MEMORY};
pub use memory::{RankBytes, States};
pub use step::{Links, Ranks, Step, Work, step};
