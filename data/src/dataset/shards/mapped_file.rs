//! A shard mapped into memory, whose batches are checked before they are believed.
//!
//! Opening checks the size, the frame, the schema and that the footer lists the batches of the
//! card. A batch is checked when it is touched for the first time, its digest first: so damage is
//! found before a number of it is used, and unused batches cost nothing.
//!
//! The files of a dataset are never written in place by this program. Another one may cut or write
//! them while they are mapped: before a batch is touched, the size is looked at, since lost pages end
//! a process (`SIGBUS`), and a batch of a file that was written since is checked anew.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use memmap2::Mmap;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{self, Column, ColumnLayout};
use super::format::{self, Block, Checked};
use crate::dataset::card::{BatchCard, Part, ShardCard};
use crate::error::{DataError, Result};

/// A record batch: its bytes, and where its columns are in them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MappedBatch<'m> {
    pub(crate) message: &'m [u8],
    pub(crate) layouts: &'m [ColumnLayout],
}

#[derive(Debug)]
pub(crate) struct MappedFile<P: Part> {
    path: PathBuf,
    file: File,
    map: Mmap,
    card: ShardCard<P>,
    columns: Vec<Column>,
    /// Per batch: where its columns are, once it has been checked.
    checked: Vec<OnceLock<Vec<ColumnLayout>>>,
    /// Per batch: the same by its own account, its digest not compared.
    outlined: Vec<OnceLock<Vec<ColumnLayout>>>,
    /// Per batch: when the file had last been written when it was checked; 0 before.
    checked_at: Vec<AtomicU64>,
}

impl<P: Part> MappedFile<P> {
    /// Maps the shard that `card` describes from the folder `root`.
    pub(crate) fn open(root: &Path, card: &ShardCard<P>, columns: Vec<Column>) -> Result<Self> {
        let path = root.join(&card.file);
        let file = File::open(&path).map_err(DataError::io("open", &path))?;
        let found = file.metadata().map_err(DataError::io("read", &path))?.len();
        if found != card.bytes {
            let problem = format!("it has {found} bytes, dataset.json says {}", card.bytes);
            return Err(DataError::corrupt(&path, "", problem));
        }
        // SAFETY: the mapping is read-only, and nothing in this program writes a shard once the
        // card that names it exists. Another process that does so breaks the contract above.
        let map = unsafe { Mmap::map(&file) }.map_err(DataError::io("map", &path))?;
        format::read_footer(&map, &columns)
            .and_then(|blocks| check_blocks(&blocks, &card.batches))
            .map_err(|problem| DataError::corrupt(&path, "", problem))?;
        let unknown = || card.batches.iter().map(|_| OnceLock::new()).collect();
        let (checked, outlined) = (unknown(), unknown());
        let checked_at = card.batches.iter().map(|_| AtomicU64::new(0)).collect();
        Ok(Self { path, file, map, card: card.clone(), columns, checked, outlined, checked_at })
    }

    /// What the card says of this shard.
    pub(crate) fn card(&self) -> &ShardCard<P> {
        &self.card
    }

    /// The batch at `index`. At the first touch, and when the file was written since, it is checked:
    /// digest, buffers, and by `check` what its kind asks of it.
    ///
    /// # Panics
    /// If the card lists no such batch.
    pub(crate) fn batch(
        &self,
        index: usize,
        check: impl FnOnce(MappedBatch<'_>, &BatchCard<P>) -> Checked<()>,
    ) -> Result<MappedBatch<'_>> {
        let (message, cell) = (self.message(index), &self.checked[index]);
        let written = self.last_written()?;
        if self.checked_at[index].load(Ordering::Relaxed) != written {
            let layouts = self.layouts(index).and_then(|layouts| {
                let batch = MappedBatch { message, layouts: &layouts };
                check(batch, &self.card.batches[index])?;
                Ok(layouts)
            });
            // Another thread may have been first; it found the same.
            let _ = cell.set(layouts.map_err(|problem| self.corrupt(index, problem))?);
            self.checked_at[index].store(written, Ordering::Relaxed);
        }
        Ok(MappedBatch { message, layouts: cell.get().expect("it was set above") })
    }

    /// The batch at `index` by its own account: inside the file, and nothing else is known. Only lengths are to be
    /// read from it, to say in which order samples come; [`MappedFile::batch`] compares the digest when they come.
    /// The size of the file is not looked at: that is for [`MappedFile::check_size`], once for many batches.
    ///
    /// # Panics
    /// If the card lists no such batch.
    pub(crate) fn outline(&self, index: usize) -> Result<MappedBatch<'_>> {
        let (message, cell) = (self.message(index), &self.outlined[index]);
        if cell.get().is_none() {
            let layouts = self.columns_of(index).map_err(|problem| self.corrupt(index, problem))?;
            // Another thread may have been first; it found the same.
            let _ = cell.set(layouts);
        }
        Ok(MappedBatch { message, layouts: cell.get().expect("it was set above") })
    }

    /// Refuses a file that lost pages.
    pub(crate) fn check_size(&self) -> Result<()> {
        self.last_written().map(|_| ())
    }

    /// A stamp of when the file was last written; never 0. Refuses one that lost pages.
    fn last_written(&self) -> Result<u64> {
        let found = self.file.metadata().map_err(DataError::io("read", &self.path))?;
        let (bytes, was) = (found.len(), self.map.len() as u64);
        if bytes < was {
            let problem =
                format!("it has {bytes} bytes now and had {was}: it was cut while in use");
            return Err(DataError::corrupt(&self.path, "", problem));
        }
        Ok(found.modified().map_or(1, nanoseconds))
    }

    /// The bytes of a batch. `check_blocks` proved that they are inside the file.
    fn message(&self, index: usize) -> &[u8] {
        let batch = &self.card.batches[index];
        let at = |byte: u64| usize::try_from(byte).expect("inside a mapped file");
        &self.map[at(batch.offset)..at(batch.offset + batch.bytes)]
    }

    /// Compares the digest of a batch and finds its columns.
    fn layouts(&self, index: usize) -> Checked<Vec<ColumnLayout>> {
        let (batch, message) = (&self.card.batches[index], self.message(index));
        let digest = format!("{:016x}", xxh3_64(message));
        if digest != batch.xxh3 {
            return Err(format!("its xxh3 is {digest}, dataset.json says {}", batch.xxh3));
        }
        self.columns_of(index)
    }

    /// Finds the columns of a batch.
    fn columns_of(&self, index: usize) -> Checked<Vec<ColumnLayout>> {
        let rows = self.card.batches[index].rows;
        let rows = usize::try_from(rows).map_err(|_| format!("{rows} does not fit memory"))?;
        columns::read_batch(self.message(index), rows, &self.columns)
    }

    /// Damage in a batch, with its place.
    pub(crate) fn corrupt(&self, index: usize, problem: String) -> DataError {
        let place = format!(" batch {index} at byte {}", self.card.batches[index].offset);
        DataError::corrupt(&self.path, place, problem)
    }
}

/// A number that differs where moments do; never 0.
fn nanoseconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(since.subsec_nanos())).max(1)
}

/// The footer was bounded by the file; the card must say the same as the footer.
fn check_blocks<P: Part>(blocks: &[Block], batches: &[BatchCard<P>]) -> Checked<()> {
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
