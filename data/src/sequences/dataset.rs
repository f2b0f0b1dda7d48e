//! Documents of an opened dataset: two long sequences (one per split) that can be entered at any
//! document or at any token.

use std::path::Path;

use crate::dataset::card::ShardCard;
use crate::dataset::opened::{Dataset, Places, Readable, find};
use crate::dataset::{Corpus, Split};
use crate::error::{DataError, Result};
use crate::sequences::card::SequencesPart;
use crate::sequences::packing::Piece;
use crate::sequences::shards::ShardReader;
use crate::sequences::shards::reader::BatchView;
use crate::sequences::shards::token_slice::TokenSlice;
use crate::sequences::tokenize::Tokenizer;

/// An opened dataset of sequences.
pub type SequencesDataset = Dataset<SequencesPart>;

/// The datasets of sequences that a run learns from.
pub type SequencesCorpus = Corpus<SequencesPart>;

impl Readable for SequencesPart {
    type Shard = ShardReader;

    fn open_shard(&self, root: &Path, shard: &ShardCard<Self>) -> Result<ShardReader> {
        ShardReader::open(root, shard, self.token_type)
    }
}

/// A document where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// All its tokens, special ones included; never empty.
    pub tokens: TokenSlice<'a>,
    /// Its number as the ingest gave it.
    pub id: u64,
    /// Index of its raw file in the card's `sources`.
    pub source: u32,
}

/// A run of tokens inside one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Index of the document in its split.
    pub document: u64,
    /// The tokens; never empty.
    pub tokens: TokenSlice<'a>,
    /// The token of the same document that comes after the last one, if the document goes on.
    pub next: Option<u32>,
}

impl SequencesDataset {
    /// Documents of the split.
    pub fn num_documents(&self, split: Split) -> u64 {
        self.places(split).num_samples()
    }

    /// Tokens of the split, special ones included.
    pub fn num_tokens(&self, split: Split) -> u64 {
        self.places(split).num_units()
    }

    /// The tokenizer that made the tokens.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::load(self.root())
    }

    /// The document `index` of `0..num_documents(split)`.
    ///
    /// # Panics
    /// If there is no such document.
    pub fn document(&self, split: Split, index: u64) -> Result<Document<'_>> {
        let (shard, batch, row) = self.row(split, index);
        let batch = shard.batch(batch)?;
        Ok(Document {
            tokens: batch.document(row),
            id: batch.document_ids[row],
            source: batch.sources[row],
        })
    }

    /// Refuses shards that were cut while in use.
    pub(crate) fn check_sizes(&self) -> Result<()> {
        self.shards().iter().try_for_each(ShardReader::check_size)
    }

    /// Tokens of the document `index`, as its batch says; that this is undamaged is known when it is read.
    /// [`SequencesDataset::check_sizes`] comes before.
    ///
    /// # Panics
    /// If there is no such document.
    pub(crate) fn length(&self, split: Split, index: u64) -> Result<u32> {
        let (shard, batch, row) = self.row(split, index);
        shard.length(batch, row)
    }

    /// Goes through the lengths of a split in the order in which they lie on disk.
    pub(crate) fn check_lengths(&self, split: Split) -> Result<()> {
        self.check_sizes()?;
        let places = self.places(split);
        (0..places.num_batches()).try_for_each(|entry| {
            let (shard, batch) = self.shard(places, entry);
            shard.check_lengths(batch)
        })
    }

    /// A piece of a document of the split.
    ///
    /// # Panics
    /// If there is no such document.
    pub fn piece(&self, split: Split, piece: Piece) -> Result<Segment<'_>> {
        let Piece { document, start, length } = piece;
        let tokens = self.document(split, document)?.tokens;
        let (start, end) = (start as usize, start as usize + length as usize);
        if end > tokens.len() || start == end {
            let problem = format!(
                "document {document} has {} tokens, a row wants {start} to {end}",
                tokens.len()
            );
            return Err(DataError::invalid("packing", problem, "find out who changed the dataset"));
        }
        Ok(Segment { document, tokens: tokens.slice(start..end), next: tokens.get(end) })
    }

    /// The tokens `start..start + count` of the split seen as one stream, cut where documents end.
    ///
    /// # Panics
    /// If the split has fewer tokens.
    pub fn segments(&self, split: Split, start: u64, count: u64) -> Result<Vec<Segment<'_>>> {
        let places = self.places(split);
        let (end, total) = (start + count, places.num_units());
        assert!(end <= total, "tokens {start}..{end} of {total} in the {} split", split.name());
        let mut segments = Vec::new();
        let mut at = start;
        while at < end {
            let entry = find(&places.units_before, at);
            let batch = self.batch(places, entry)?;
            let local = to_usize(at - places.units_before[entry]);
            let row = row_of_token(batch.offsets, local);
            let stop = batch.bounds(row).end;
            let take = (stop - local).min(to_usize(end - at));
            let goes_on = local + take < stop;
            segments.push(Segment {
                document: places.samples_before[entry] + row as u64,
                tokens: batch.tokens.slice(local..local + take),
                next: if goes_on { batch.tokens.get(local + take) } else { None },
            });
            at += take as u64;
        }
        Ok(segments)
    }

    fn batch(&self, places: &Places, entry: usize) -> Result<BatchView<'_>> {
        let (shard, batch) = self.shard(places, entry);
        shard.batch(batch)
    }
}

fn row_of_token(offsets: &[i32], token: usize) -> usize {
    offsets.partition_point(|&o| usize::try_from(o).is_ok_and(|o| o <= token)) - 1
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).expect("a place inside one mapped batch")
}
