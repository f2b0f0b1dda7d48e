//! A shard mapped into memory, whose batches are checked before they are believed.
//!
//! Opening checks the size, the frame, the schema and that the footer lists the batches of the
//! card. The digest of a batch is checked when the batch is asked for through [`MappedFile::check`].
//!
//! The files of a dataset are never written in place by this program. Truncating one while a
//! program has it mapped ends that program (`SIGBUS`); no reader of mapped files can prevent it.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{self, Column, ColumnLayout};
use super::format::{self, Block, Checked};
use crate::error::{DataError, Result};

/// A batch as the card lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) rows: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) xxh3: String,
}

#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    map: Mmap,
    places: Vec<Place>,
    columns: Vec<Column>,
}

impl MappedFile {
    /// Maps `root/file`, which must have `bytes` bytes and the batches `places`.
    pub(crate) fn open(
        root: &Path,
        (file, bytes): (&str, u64),
        places: Vec<Place>,
        columns: Vec<Column>,
    ) -> Result<Self> {
        let path = root.join(file);
        let file = File::open(&path).map_err(DataError::io("open", &path))?;
        let found = file.metadata().map_err(DataError::io("read", &path))?.len();
        if found != bytes {
            let problem = format!("it has {found} bytes, dataset.json says {bytes}");
            return Err(DataError::corrupt(&path, "", problem));
        }
        // SAFETY: the mapping is read-only, and nothing in this program writes a shard once the
        // card that names it exists. Another process that does so breaks the contract above.
        let map = unsafe { Mmap::map(&file) }.map_err(DataError::io("map", &path))?;
        format::read_footer(&map, &columns)
            .and_then(|blocks| check_blocks(&blocks, &places))
            .map_err(|problem| DataError::corrupt(&path, "", problem))?;
        Ok(Self { path, map, places, columns })
    }

    /// The bytes of a batch. `check_blocks` proved that they are inside the file.
    ///
    /// # Panics
    /// If the card lists no such batch.
    pub(crate) fn message(&self, index: usize) -> &[u8] {
        let place = &self.places[index];
        let at = |byte: u64| usize::try_from(byte).expect("inside a mapped file");
        &self.map[at(place.offset)..at(place.offset + place.bytes)]
    }

    /// Compares the digest of a batch and finds its columns.
    pub(crate) fn check(&self, index: usize) -> Checked<Vec<ColumnLayout>> {
        let (place, message) = (&self.places[index], self.message(index));
        let digest = format!("{:016x}", xxh3_64(message));
        if digest != place.xxh3 {
            return Err(format!("its xxh3 is {digest}, dataset.json says {}", place.xxh3));
        }
        let rows = usize::try_from(place.rows);
        let rows = rows.map_err(|_| format!("{} does not fit memory", place.rows))?;
        columns::read_batch(message, rows, &self.columns)
    }

    /// Damage in a batch, with its place.
    pub(crate) fn corrupt(&self, index: usize, problem: String) -> DataError {
        let place = format!(" batch {index} at byte {}", self.places[index].offset);
        DataError::corrupt(&self.path, place, problem)
    }
}

/// The footer was bounded by the file; the card must say the same as the footer.
fn check_blocks(blocks: &[Block], batches: &[Place]) -> Checked<()> {
    if blocks.len() != batches.len() {
        return Err(format!(
            "its footer lists {} batches, dataset.json {}",
            blocks.len(),
            batches.len()
        ));
    }
    for (index, (block, card)) in blocks.iter().zip(batches).enumerate() {
        if (block.offset, block.bytes) != (card.offset, card.bytes) {
            return Err(format!(
                "batch {index} is {} bytes at {} by its footer, {} bytes at {} by dataset.json",
                block.bytes, block.offset, card.bytes, card.offset
            ));
        }
    }
    Ok(())
}
