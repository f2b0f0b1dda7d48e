//! From raw files to batches: ingest, Arrow shards, loaders. No Burn, no GPU.
//!
//! Reading order: [`dataset`] (what every kind shares), [`mod@formats`] and [`mod@ingest`] (raw
//! files to shards), then the kinds: [`sequences`] of tokens, [`structures`] of atoms; last [`kinds`], their
//! list, and [`mod@verify`].

pub mod dataset;
pub mod error;
mod files;
pub mod formats;
pub mod ingest;
pub mod kinds;
pub mod sequences;
pub mod structures;
pub mod verify;

pub use dataset::Split;
pub use error::DataError;
