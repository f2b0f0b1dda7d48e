//! Structures of atoms: from raw files through shards to batches.

mod formats;
mod hostile;
mod loading;
mod real;
mod support;
