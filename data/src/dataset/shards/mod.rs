//! Shards as files, whatever lies in them: Arrow IPC files, hashed while they are written and
//! checked before they are believed. [`mod@format`] is the specification.

pub(crate) mod columns;
pub mod format;
pub(crate) mod hashed_file;
pub(crate) mod mapped_file;
pub(crate) mod series;
