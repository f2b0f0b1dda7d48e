//! One shard, mapped into memory and checked before it is believed.
//!
//! Opening checks the size, the frame, the schema and that the footer lists the batches of the
//! card. The xxh3 of a batch is checked when the batch is touched for the first time, so damage
//! is found before a token of it is used, and unused batches cost nothing.
//!
//! The files of a dataset are never written in place by this program. Truncating one while a
//! program has it mapped ends that program (`SIGBUS`); no reader of mapped files can prevent it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memmap2::Mmap;
use xxhash_rust::xxh3::xxh3_64;

use crate::card::{BatchCard, ShardCard, TokenType};
use crate::error::{DataError, Result};
use crate::shards::TokenSlice;
use crate::shards::format::{self, Block, Checked, Layout};

/// A mapped shard.
#[derive(Debug)]
pub struct ShardReader {
    path: PathBuf,
    token_type: TokenType,
    card: ShardCard,
    map: Mmap,
    /// Per batch: where its columns are, once it has been checked.
    checked: Vec<OnceLock<Layout>>,
}

/// The columns of one record batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchView<'a> {
    /// `[rows]` the `document_id` column.
    pub document_ids: &'a [u64],
    /// `[rows]` the `source` column.
    pub sources: &'a [u32],
    /// `[rows + 1]` first token of each document, then the number of tokens; rising from 0.
    pub offsets: &'a [i32],
    /// The tokens of all documents of the batch, laid end to end.
    pub tokens: TokenSlice<'a>,
}

impl<'a> BatchView<'a> {
    /// Where the document at `row` begins and ends in `tokens`.
    ///
    /// # Panics
    /// If the batch has no such row.
    pub fn bounds(&self, row: usize) -> std::ops::Range<usize> {
        let at = |i: usize| usize::try_from(self.offsets[i]).expect("offsets were checked");
        at(row)..at(row + 1)
    }

    /// The tokens of the document at `row`.
    ///
    /// # Panics
    /// If the batch has no such row.
    pub fn document(&self, row: usize) -> TokenSlice<'a> {
        self.tokens.slice(self.bounds(row))
    }
}

impl ShardReader {
    /// Maps the shard that `card` describes from the folder `root`.
    pub fn open(root: &Path, card: &ShardCard, token_type: TokenType) -> Result<Self> {
        let path = root.join(&card.file);
        let file = File::open(&path).map_err(DataError::io("open", &path))?;
        let bytes = file.metadata().map_err(DataError::io("read", &path))?.len();
        if bytes != card.bytes {
            let problem = format!("it has {bytes} bytes, dataset.json says {}", card.bytes);
            return Err(DataError::corrupt(&path, "", problem));
        }
        // SAFETY: the mapping is read-only, and nothing in this program writes a shard once the
        // card that names it exists. Another process that does so breaks the contract above.
        let map = unsafe { Mmap::map(&file) }.map_err(DataError::io("map", &path))?;
        let frame = format::read_footer(&map, token_type);
        frame
            .and_then(|blocks| check_blocks(&blocks, &card.batches))
            .map_err(|problem| DataError::corrupt(&path, "", problem))?;
        let checked = card.batches.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { path, token_type, card: card.clone(), map, checked })
    }

    /// What the card says of this shard.
    pub fn card(&self) -> &ShardCard {
        &self.card
    }

    /// The batch at `index`, checked if this is the first touch.
    ///
    /// # Panics
    /// If the card lists no such batch.
    pub fn batch(&self, index: usize) -> Result<BatchView<'_>> {
        let card = &self.card.batches[index];
        let cell = &self.checked[index];
        if cell.get().is_none() {
            let checked = self.check(card).map_err(|problem| {
                let place = format!(" batch {index} at byte {}", card.offset);
                DataError::corrupt(&self.path, place, problem)
            })?;
            // Another thread may have been first; it found the same.
            let _ = cell.set(checked);
        }
        let layout = cell.get().expect("it was set above");
        Ok(view(self.message(card), layout, self.token_type).expect("the layout was checked"))
    }

    /// The bytes of a batch. `check_blocks` proved that they are inside the file.
    fn message(&self, card: &BatchCard) -> &[u8] {
        let at = |byte: u64| usize::try_from(byte).expect("inside a mapped file");
        &self.map[at(card.offset)..at(card.offset + card.bytes)]
    }

    fn check(&self, card: &BatchCard) -> Checked<Layout> {
        let message = self.message(card);
        let digest = format!("{:016x}", xxh3_64(message));
        if digest != card.xxh3 {
            return Err(format!("its xxh3 is {digest}, dataset.json says {}", card.xxh3));
        }
        let count = |n: u64| usize::try_from(n).map_err(|_| format!("{n} does not fit memory"));
        let (rows, tokens) = (count(card.rows)?, count(card.tokens)?);
        let layout = format::read_batch(message, rows, tokens, self.token_type)?;
        let columns = view(message, &layout, self.token_type)
            .ok_or("its buffers are not aligned to their numbers")?;
        format::check_offsets(columns.offsets, tokens)?;
        Ok(layout)
    }
}

fn view<'a>(message: &'a [u8], layout: &Layout, token_type: TokenType) -> Option<BatchView<'a>> {
    Some(BatchView {
        document_ids: bytemuck::try_cast_slice(&message[layout.document_id.clone()]).ok()?,
        sources: bytemuck::try_cast_slice(&message[layout.source.clone()]).ok()?,
        offsets: bytemuck::try_cast_slice(&message[layout.offsets.clone()]).ok()?,
        tokens: TokenSlice::from_bytes(&message[layout.tokens.clone()], token_type)?,
    })
}

/// The footer was bounded by the file; the card must say the same as the footer.
fn check_blocks(blocks: &[Block], batches: &[BatchCard]) -> Checked<()> {
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
