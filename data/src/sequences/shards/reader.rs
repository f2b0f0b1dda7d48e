//! One shard of tokens, mapped into memory and checked before it is believed, as `mapped_file` does.

use std::path::Path;

use crate::dataset::card::{BatchCard, ShardCard};
use crate::dataset::shards::format::Checked;
use crate::dataset::shards::mapped_file::{MappedBatch, MappedFile};
use crate::error::Result;
use crate::sequences::card::{SequencesPart, TokenType};
use crate::sequences::shards::{TokenSlice, format};

/// A mapped shard.
#[derive(Debug)]
pub struct ShardReader {
    token_type: TokenType,
    file: MappedFile<SequencesPart>,
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
    pub fn open(
        root: &Path,
        card: &ShardCard<SequencesPart>,
        token_type: TokenType,
    ) -> Result<Self> {
        let file = MappedFile::open(root, card, format::columns(token_type).to_vec())?;
        Ok(Self { token_type, file })
    }

    /// What the card says of this shard.
    pub fn card(&self) -> &ShardCard<SequencesPart> {
        self.file.card()
    }

    /// The batch at `index`, checked if this is the first touch.
    ///
    /// # Panics
    /// If the card lists no such batch.
    pub fn batch(&self, index: usize) -> Result<BatchView<'_>> {
        let batch = self.file.batch(index, |batch, card| self.check(batch, card))?;
        Ok(view(batch, self.token_type).expect("it was checked"))
    }

    /// Checks the offsets of the batch at `index`, without a look at its digest and its tokens.
    ///
    /// # Panics
    /// If the card lists no such batch.
    pub(crate) fn check_lengths(&self, index: usize) -> Result<()> {
        let checked = self.check(self.file.outline(index)?, &self.card().batches[index]);
        checked.map_err(|problem| self.file.corrupt(index, problem))
    }

    /// Refuses a file that lost pages, before lengths are read.
    pub(crate) fn check_size(&self) -> Result<()> {
        self.file.check_size()
    }

    /// Tokens of the document at `row` of the batch at `index`, its digest not compared.
    ///
    /// # Panics
    /// If the card lists no such batch or row.
    pub(crate) fn length(&self, index: usize, row: usize) -> Result<u32> {
        let columns = view(self.file.outline(index)?, self.token_type);
        let ends = columns.and_then(|it| Some((*it.offsets.get(row)?, *it.offsets.get(row + 1)?)));
        let length = ends.and_then(|(start, end)| u32::try_from(end.checked_sub(start)?).ok());
        let damaged = || self.file.corrupt(index, format!("document {row} has no length"));
        length.filter(|&length| length > 0).ok_or_else(damaged)
    }

    fn check(&self, batch: MappedBatch<'_>, card: &BatchCard<SequencesPart>) -> Checked<()> {
        let columns =
            view(batch, self.token_type).ok_or("its buffers are not aligned to their numbers")?;
        let (found, tokens) = (columns.tokens.len(), card.units.tokens);
        if found as u64 != tokens {
            return Err(format!("it has {found} tokens, dataset.json says {tokens}"));
        }
        format::check_offsets(columns.offsets, found)
    }
}

fn view(
    MappedBatch { message, layouts }: MappedBatch<'_>,
    width: TokenType,
) -> Option<BatchView<'_>> {
    let [document_id, source, tokens] = layouts else { return None };
    let offsets = tokens.offsets.clone()?;
    Some(BatchView {
        document_ids: bytemuck::try_cast_slice(&message[document_id.values.clone()]).ok()?,
        sources: bytemuck::try_cast_slice(&message[source.values.clone()]).ok()?,
        offsets: bytemuck::try_cast_slice(&message[offsets]).ok()?,
        tokens: TokenSlice::from_bytes(&message[tokens.values.clone()], width)?,
    })
}
