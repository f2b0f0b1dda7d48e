//! Shards of documents: Arrow IPC files that any Arrow library reads, with the columns of
//! [`mod@format`]. What they share with other shards is in [`crate::dataset::shards`].
//!
//! [`writer`] streams documents to disk, [`reader`] maps one shard into memory and trusts nothing
//! in it.

pub mod format;
pub mod reader;
pub mod token_slice;
pub mod writer;

pub use reader::ShardReader;
pub use token_slice::TokenSlice;
pub use writer::{ShardLimits, ShardWriter};
