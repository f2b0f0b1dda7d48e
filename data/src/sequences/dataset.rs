//! A dataset folder, opened: its card and its mapped shards, joined into two long sequences of
//! documents (one per split) that can be entered at any document or at any token.
//!
//! Memory is proportional to the number of record batches, not of documents: the offsets of
//! documents are read from the mapped file.

use std::path::{Path, PathBuf};

use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::sequences::card::{BatchCard, SequencesCard};
use crate::sequences::shards::reader::{BatchView, ShardReader};
use crate::sequences::shards::token_slice::TokenSlice;
use crate::sequences::tokenize::Tokenizer;

/// An opened dataset. Share it with `Arc`: reading needs no lock.
#[derive(Debug)]
pub struct SequencesDataset {
    root: PathBuf,
    card: SequencesCard,
    digest: String,
    shards: Vec<ShardReader>,
    splits: [SplitIndex; 3],
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
    /// Opens the folder `root`: reads and checks the card, the sizes and footers of all shards.
    ///
    /// Contents are checked batch by batch when they are first used; `verify` checks all.
    pub fn open(root: &Path) -> Result<Self> {
        if cfg!(target_endian = "big") {
            let fix = "use a little-endian machine";
            return Err(DataError::invalid("dataset", "shards are little-endian", fix));
        }
        let (card, digest) = SequencesCard::load(root)?;
        check_sums(&card)
            .map_err(|problem| DataError::Card { path: root.join("dataset.json"), problem })?;
        let shards =
            card.shards.iter().map(|shard| ShardReader::open(root, shard, card.token_type));
        let shards = shards.collect::<Result<Vec<_>>>()?;
        let splits = Split::ALL.map(|split| SplitIndex::new(&card, split));
        Ok(Self { root: root.to_path_buf(), card, digest, shards, splits })
    }

    /// What the dataset says of itself.
    pub fn card(&self) -> &SequencesCard {
        &self.card
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// SHA-256 of the card, which holds the digests of all other files.
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    /// Documents of the split.
    pub fn num_documents(&self, split: Split) -> u64 {
        self.index(split).num_documents()
    }

    /// Tokens of the split, special ones included.
    pub fn num_tokens(&self, split: Split) -> u64 {
        self.index(split).num_tokens()
    }

    /// The tokenizer that made the tokens.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::load(&self.root)
    }

    /// The document `index` of `0..num_documents(split)`.
    ///
    /// # Panics
    /// If there is no such document.
    pub fn document(&self, split: Split, index: u64) -> Result<Document<'_>> {
        let places = self.index(split);
        let count = places.num_documents();
        assert!(index < count, "document {index} of {count} in the {} split", split.name());
        let entry = find(&places.documents_before, index);
        let batch = self.batch(places, entry)?;
        let row = to_usize(index - places.documents_before[entry]);
        Ok(Document {
            tokens: batch.document(row),
            id: batch.document_ids[row],
            source: batch.sources[row],
        })
    }

    /// The tokens `start..start + count` of the split seen as one stream, cut where documents end.
    ///
    /// # Panics
    /// If the split has fewer tokens.
    pub fn segments(&self, split: Split, start: u64, count: u64) -> Result<Vec<Segment<'_>>> {
        let places = self.index(split);
        let (end, total) = (start + count, places.num_tokens());
        assert!(end <= total, "tokens {start}..{end} of {total} in the {} split", split.name());
        let mut segments = Vec::new();
        let mut at = start;
        while at < end {
            let entry = find(&places.tokens_before, at);
            let batch = self.batch(places, entry)?;
            let local = to_usize(at - places.tokens_before[entry]);
            let row = row_of_token(batch.offsets, local);
            let stop = batch.bounds(row).end;
            let take = (stop - local).min(to_usize(end - at));
            let goes_on = local + take < stop;
            segments.push(Segment {
                document: places.documents_before[entry] + row as u64,
                tokens: batch.tokens.slice(local..local + take),
                next: if goes_on { batch.tokens.get(local + take) } else { None },
            });
            at += take as u64;
        }
        Ok(segments)
    }

    fn index(&self, split: Split) -> &SplitIndex {
        &self.splits[split as usize]
    }

    fn batch(&self, places: &SplitIndex, entry: usize) -> Result<BatchView<'_>> {
        let (shard, batch) = places.batches[entry];
        self.shards[shard].batch(batch)
    }
}

/// Where the batches of a split are, and what comes before each.
#[derive(Debug)]
struct SplitIndex {
    /// `[batches]` index of the shard, index of the batch in it.
    batches: Vec<(usize, usize)>,
    /// `[batches + 1]` documents before each batch, then all.
    documents_before: Vec<u64>,
    /// `[batches + 1]` tokens before each batch, then all.
    tokens_before: Vec<u64>,
}

impl SplitIndex {
    fn new(card: &SequencesCard, split: Split) -> Self {
        let mut index =
            Self { batches: Vec::new(), documents_before: vec![0], tokens_before: vec![0] };
        for (s, shard) in card.shards.iter().enumerate().filter(|(_, shard)| shard.split == split) {
            for (b, batch) in shard.batches.iter().enumerate() {
                index.batches.push((s, b));
                index.documents_before.push(index.num_documents() + batch.rows);
                index.tokens_before.push(index.num_tokens() + batch.tokens);
            }
        }
        index
    }

    fn num_documents(&self) -> u64 {
        self.documents_before.last().copied().unwrap_or(0)
    }

    fn num_tokens(&self) -> u64 {
        self.tokens_before.last().copied().unwrap_or(0)
    }
}

/// The batch that holds item `at`, given how many items come before each batch.
fn find(before: &[u64], at: u64) -> usize {
    before.partition_point(|&count| count <= at) - 1
}

fn row_of_token(offsets: &[i32], token: usize) -> usize {
    offsets.partition_point(|&o| usize::try_from(o).is_ok_and(|o| o <= token)) - 1
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).expect("a place inside one mapped batch")
}

/// The counts of batches, shards and splits must add up without overflow.
fn check_sums(card: &SequencesCard) -> std::result::Result<(), String> {
    let vocabulary = u64::from(card.tokenizer.vocab_size);
    for split in Split::ALL {
        let (mut documents, mut tokens) = (0u64, 0u64);
        for shard in card.shards.iter().filter(|shard| shard.split == split) {
            let rows = total(&shard.batches, |b| b.rows);
            let held = total(&shard.batches, |b| b.tokens);
            if (rows, held) != (Some(shard.documents), Some(shard.tokens)) {
                return Err(format!("the batches of {} do not add up to its counts", shard.file));
            }
            documents = documents.saturating_add(shard.documents);
            tokens = tokens.saturating_add(shard.tokens);
        }
        let stated = card.splits.get(split);
        if (documents, tokens) != (stated.documents, stated.tokens) {
            return Err(format!(
                "the {} shards hold {documents} documents and {tokens} tokens, the card says {} and {}",
                split.name(),
                stated.documents,
                stated.tokens
            ));
        }
        if split != Split::Test && stated.token_counts.len() as u64 != vocabulary {
            let counts = stated.token_counts.len();
            return Err(format!("{counts} token counts for a vocabulary of {vocabulary}"));
        }
    }
    Ok(())
}

fn total(batches: &[BatchCard], of: impl Fn(&BatchCard) -> u64) -> Option<u64> {
    batches.iter().try_fold(0u64, |sum, batch| match of(batch) {
        0 => None,
        count => sum.checked_add(count),
    })
}
