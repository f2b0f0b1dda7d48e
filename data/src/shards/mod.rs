//! Shards: the only form in which tokens lie on disk. [`mod@format`] is the specification.
//!
//! [`writer`] streams documents to disk, [`reader`] maps one shard into memory and trusts
//! nothing in it, [`dataset`] joins the shards of a folder. `columns`, `hashed_file` and
//! `mapped_file` are shared with the shards of [`crate::graphs`].

pub(crate) mod columns;
pub mod dataset;
pub mod format;
pub(crate) mod hashed_file;
pub(crate) mod mapped_file;
pub mod reader;
pub mod token_slice;
pub mod writer;

pub use dataset::{Dataset, Document, Segment};
pub use reader::ShardReader;
pub use token_slice::TokenSlice;
pub use writer::{ShardLimits, ShardWriter};
