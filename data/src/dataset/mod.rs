//! What datasets of every kind share: the card as a file, shards as files, the order of samples,
//! where a run is in it, steps made ahead of time, and the proof that all bytes are as written.
//!
//! Reading order: [`card`], [`shards`], [`opened`] (a folder to read samples from), [`order`] (which
//! sample comes when), [`mixture`] (of which source), [`corpus`] (several datasets), [`cursor`] (which part of a step is ours), [`loader`] (steps as functions of
//! their number), [`prefetch`], `verify`.

pub mod card;
pub(crate) mod card_file;
pub mod corpus;
pub mod cursor;
pub mod feistel;
pub mod loader;
pub mod mixture;
pub mod opened;
pub mod order;
pub mod prefetch;
pub mod shards;
pub(crate) mod verify;

pub use card::{Card, Split};
pub use corpus::{Corpus, Member};
pub use loader::Loader;
pub use mixture::{Mixture, MixturePlan};
pub use opened::Dataset;
pub use prefetch::Prefetch;
