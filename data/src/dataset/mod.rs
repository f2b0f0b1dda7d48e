//! What datasets of every kind share: the card as a file, shards as files, the order of samples,
//! where a run is in it, steps made ahead of time, and the proof that all bytes are as written.
//!
//! Reading order: [`card`], [`shards`], [`order`] (which sample comes when), [`cursor`] (which
//! part of a step is ours), [`prefetch`], `verify`.

pub mod card;
pub(crate) mod card_file;
pub mod cursor;
pub mod feistel;
pub mod order;
pub mod prefetch;
pub mod shards;
pub(crate) mod verify;

pub use card::{DatasetKind, Split, kind_of};
pub use prefetch::Prefetch;
