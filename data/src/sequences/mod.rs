//! Sequences of tokens: tokenizers, datasets of documents, and their batches.
//!
//! Reading order: [`tokenize`], [`letters`] (what is no residue), [`mod@ingest`] (raw files to shards), [`card`] (what a dataset says
//! of itself), [`shards`] (how documents lie on disk), [`dataset`] (a folder, opened), [`packing`] (documents in rows),
//! [`loader`] (documents to batches).

pub mod card;
pub mod dataset;
mod generate;
pub mod ingest;
pub mod letters;
pub mod loader;
mod molecules;
pub mod packing;
mod seen;
pub mod shards;
pub mod tokenize;
mod verify;

pub use card::SequencesCard;
pub use dataset::{Document, Segment, SequencesCorpus, SequencesDataset};
pub use generate::GenerateSequences;
pub use ingest::{SequencesIngest, SequencesSummary, TokenizerChoice, ingest_sequences};
pub use letters::{LetterRule, LetterRules};
pub use loader::{HeldOut, Objective, SequencesLoader, SequencesLoaderPlan, rows_of};
pub use molecules::molecule;
pub use packing::{Packing, Rows};
pub use seen::{Seen, seen_in_training};
