//! Training runs: configuration, the loop, optimisers, checkpoints, evaluation, reports, exchange.
//!
//! Ground floor: [`cluster`] (ranks), [`keys`] (run files), [`device`], [`report`], [`checkpoint`], [`exchange`]. Above it
//! the [`trainer`] (the loop of every family) and [`family`] (what a family is), then a wing for each,
//! [`sequences`] and [`structures`], then [`families`], the list of them. No floor names one above it,
//! no wing another.

pub mod checkpoint;
pub mod cluster;
pub mod device;
pub mod exchange;
pub mod families;
pub mod family;
pub mod keys;
pub mod report;
pub mod sequences;
pub mod structures;
pub mod trainer;
