//! One shard of tokens, mapped into memory and checked before it is believed.
//!
//! The xxh3 of a batch is checked when the batch is touched for the first time, so damage is found
//! before a token of it is used, and unused batches cost nothing. What opening checks is said in
//! `mapped_file`.

use std::path::Path;
use std::sync::OnceLock;

use crate::dataset::shards::columns::ColumnLayout;
use crate::dataset::shards::format::Checked;
use crate::dataset::shards::mapped_file::{MappedFile, Place};
use crate::error::Result;
use crate::sequences::card::{BatchCard, ShardCard, TokenType};
use crate::sequences::shards::{TokenSlice, format};

/// A mapped shard.
#[derive(Debug)]
pub struct ShardReader {
    token_type: TokenType,
    card: ShardCard,
    file: MappedFile,
    /// Per batch: where its columns are, once it has been checked.
    checked: Vec<OnceLock<[ColumnLayout; 3]>>,
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
        let columns = format::columns(token_type).to_vec();
        let places = card.batches.iter().map(place).collect();
        let file = MappedFile::open(root, (&card.file, card.bytes), places, columns)?;
        let checked = card.batches.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { token_type, card: card.clone(), file, checked })
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
        let cell = &self.checked[index];
        if cell.get().is_none() {
            let checked = self.check(index).map_err(|problem| self.file.corrupt(index, problem))?;
            // Another thread may have been first; it found the same.
            let _ = cell.set(checked);
        }
        let layout = cell.get().expect("it was set above");
        Ok(view(self.file.message(index), layout, self.token_type).expect("it was checked"))
    }

    fn check(&self, index: usize) -> Checked<[ColumnLayout; 3]> {
        let layout: [ColumnLayout; 3] =
            self.file.check(index)?.try_into().map_err(|_| "it has not three columns")?;
        let tokens = self.card.batches[index].tokens;
        if layout[2].items as u64 != tokens {
            let found = layout[2].items;
            return Err(format!("it has {found} tokens, dataset.json says {tokens}"));
        }
        let columns = view(self.file.message(index), &layout, self.token_type)
            .ok_or("its buffers are not aligned to their numbers")?;
        format::check_offsets(columns.offsets, layout[2].items)?;
        Ok(layout)
    }
}

fn place(batch: &BatchCard) -> Place {
    let BatchCard { rows, offset, bytes, ref xxh3, .. } = *batch;
    Place { rows, offset, bytes, xxh3: xxh3.clone() }
}

fn view<'a>(
    message: &'a [u8],
    [document_id, source, tokens]: &[ColumnLayout; 3],
    token_type: TokenType,
) -> Option<BatchView<'a>> {
    let offsets = tokens.offsets.clone()?;
    Some(BatchView {
        document_ids: bytemuck::try_cast_slice(&message[document_id.values.clone()]).ok()?,
        sources: bytemuck::try_cast_slice(&message[source.values.clone()]).ok()?,
        offsets: bytemuck::try_cast_slice(&message[offsets]).ok()?,
        tokens: TokenSlice::from_bytes(&message[tokens.values.clone()], token_type)?,
    })
}
