//! Records to documents: read ahead, encode in parallel, write in order (`overlap`).
//!
//! Chunks are cut by bytes and records alone, so their number of threads changes
//! nothing in the result.

use rayon::prelude::*;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use super::sink::Sink;
use super::{FormatChoice, SequencesIngest};
use crate::dataset::Split;
use crate::dataset::card::SourceCard;
use crate::error::Result;
use crate::formats::{self as read, Opened, Record, not_utf8};
use crate::ingest::inputs::Source;
use crate::ingest::rejects::Refusal;
use crate::ingest::{IngestError, Progress, overlap};
use crate::sequences::tokenize::{EncodeError, Tokenizer};

const CHUNK_BYTES: usize = 4 << 20;
const CHUNK_RECORDS: usize = 1 << 14;
/// Seeds of the two hashes of a document; datasets depend on them for ever.
const SPLIT_SEED: u64 = 0x6765_6E65_7369_7301;
const DUPLICATE_SEED: u64 = 0x6765_6E65_7369_7302;
/// The split rule in words, for the card.
pub(crate) const SPLIT_HASH: &str = "xxh3-64 of the document's text, seed 0x67656e6573697301, \
                                     as a fraction of 2^64; below validation_fraction is held out";

/// A record with its place.
pub(crate) struct Placed {
    pub(crate) source: u32,
    /// Number among all records of all sources, from 0: the id of its document.
    pub(crate) number: u64,
    pub(crate) record: Record,
}

/// Some consecutive records.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) records: Vec<Placed>,
    text_bytes: usize,
    /// Bytes of the files that were read for it.
    pub(crate) file_bytes: u64,
}

/// Reads all sources, one after the other, chunk by chunk.
pub(crate) struct ChunkReader<'p> {
    sources: &'p [Source],
    plan: &'p SequencesIngest,
    current: Option<Opened>,
    /// Records and bytes of the current source that were given out.
    records: u64,
    bytes: u64,
    number: u64,
    cards: Vec<SourceCard>,
}

impl<'p> ChunkReader<'p> {
    pub(crate) fn new(sources: &'p [Source], plan: &'p SequencesIngest) -> Self {
        Self { sources, plan, current: None, records: 0, bytes: 0, number: 0, cards: Vec::new() }
    }

    /// What was read of each source; call it at the end.
    pub(crate) fn into_cards(self) -> Vec<SourceCard> {
        self.cards
    }

    /// The next records; `None` at the end of the last source.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut chunk = Chunk::default();
        while chunk.text_bytes < CHUNK_BYTES && chunk.records.len() < CHUNK_RECORDS {
            let Some(source) = self.sources.get(self.cards.len()) else { break };
            let opened = match &mut self.current {
                Some(opened) => opened,
                None => self.current.insert(read::open(source, self.plan)?),
            };
            let record = opened.reader.next_record()?;
            chunk.file_bytes += opened.tally.bytes() - self.bytes;
            self.bytes = opened.tally.bytes();
            match record {
                Some(record) => self.place(record, &mut chunk),
                None => self.end_source(source, &mut chunk),
            }
        }
        Ok(if chunk.records.is_empty() { None } else { Some(chunk) })
    }

    fn place(&mut self, record: Record, chunk: &mut Chunk) {
        chunk.text_bytes += record.text.as_ref().map_or(0, Vec::len);
        let source = u32::try_from(self.cards.len()).expect("fewer than 2^32 files");
        chunk.records.push(Placed { source, number: self.number, record });
        self.records += 1;
        self.number += 1;
    }

    fn end_source(&mut self, source: &Source, chunk: &mut Chunk) {
        if self.records == 0 {
            let what = if source.bytes == 0 { "the file is empty" } else { "it has no records" };
            let text = Err(Refusal::new("empty_file", what));
            self.place(Record { line: 1, text }, chunk);
        }
        let opened = self.current.take().expect("a source is open until it ends");
        self.cards.push(SourceCard {
            path: source.shown(),
            bytes: opened.tally.bytes(),
            sha256: opened.tally.digest(),
            format: if self.plan.generate.is_some() {
                "generated".to_owned()
            } else {
                format_name(source.format).to_owned()
            },
            records: self.records,
        });
        (self.records, self.bytes) = (0, 0);
    }
}

pub(crate) fn format_name(format: FormatChoice) -> &'static str {
    match format {
        FormatChoice::Guess => "guess",
        FormatChoice::Text => "text",
        FormatChoice::Jsonl => "jsonl",
        FormatChoice::Fasta => "fasta",
        FormatChoice::Csv => "csv",
        FormatChoice::Tsv => "tsv",
        FormatChoice::Parquet => "parquet",
    }
}

/// A document ready to be stored.
pub(crate) struct Document {
    pub(crate) tokens: Vec<u32>,
    pub(crate) split: Split,
    /// 128 bits that equal documents share.
    pub(crate) identity: u128,
    pub(crate) source_bytes: u64,
}

/// A record after encoding.
pub(crate) struct Encoded {
    pub(crate) source: u32,
    pub(crate) number: u64,
    pub(crate) line: u64,
    pub(crate) document: std::result::Result<Document, Refusal>,
}

/// Encodes and stores everything that `reader` gives.
pub(crate) fn run(
    reader: &mut ChunkReader<'_>,
    tokenizer: &Tokenizer,
    plan: &SequencesIngest,
    sink: &mut Sink<'_>,
    progress: &dyn Progress,
) -> std::result::Result<(), IngestError> {
    let work =
        |chunk: Chunk| (chunk.file_bytes, encode(chunk, tokenizer, plan.validation_fraction));
    let mut store = |(bytes, encoded): (u64, Vec<Encoded>)| {
        let records = encoded.len() as u64;
        sink.store(encoded)?;
        progress.advance(bytes, records);
        Ok(())
    };
    Ok(overlap::run(&mut || reader.next_chunk(), &work, &mut store)?)
}

fn encode(chunk: Chunk, tokenizer: &Tokenizer, validation_fraction: f64) -> Vec<Encoded> {
    let one = |placed: Placed| {
        let Placed { source, number, record } = placed;
        let document = record.text.and_then(|text| document(&text, tokenizer, validation_fraction));
        Encoded { source, number, line: record.line, document }
    };
    chunk.records.into_par_iter().with_min_len(16).map(one).collect()
}

fn document(
    text: &[u8],
    tokenizer: &Tokenizer,
    validation_fraction: f64,
) -> std::result::Result<Document, Refusal> {
    let text = checked_text(text)?;
    let mut tokens = Vec::with_capacity(text.len() / 2);
    tokenizer.encode(text, &mut tokens)?;
    let fraction = xxh3_64_with_seed(text.as_bytes(), SPLIT_SEED) as f64 / 2f64.powi(64);
    let held_out = fraction < validation_fraction;
    Ok(Document {
        tokens,
        split: if held_out { Split::Validation } else { Split::Train },
        identity: xxh3_128_with_seed(text.as_bytes(), DUPLICATE_SEED),
        source_bytes: text.len() as u64,
    })
}

/// Text in UTF-8 without NUL: what a binary file is not.
pub(crate) fn checked_text(text: &[u8]) -> std::result::Result<&str, Refusal> {
    if let Some(offset) = memchr::memchr(0, text) {
        return Err(EncodeError::Nul { offset }.into());
    }
    let text = std::str::from_utf8(text).map_err(|e| not_utf8(&e))?;
    if text.trim().is_empty() { Err(EncodeError::Empty.into()) } else { Ok(text) }
}
