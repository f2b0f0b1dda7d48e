//! From raw files to batches of tokens: ingest, Arrow shards, loaders. No Burn, no GPU.
//!
//! Reading order: [`tokenize`], [`ingest`] (raw file to shards), [`shards`] (the format),
//! [`card`] (what a dataset says of itself), [`mod@verify`], [`loader`] (shards to batches).

pub mod card;
mod card_file;
pub mod error;
mod files;
pub mod graphs;
pub mod ingest;
pub mod loader;
pub mod shards;
pub mod tokenize;
pub mod verify;

pub use card::{DatasetCard, Split, TokenType};
pub use error::DataError;
pub use loader::{Loader, LoaderPlan, Objective};
pub use shards::Dataset;
