//! Streams documents into Arrow shards, hashing as it writes, in memory bounded by one batch.
//!
//! Not here: what becomes of a half-written folder. A folder is a dataset only once its card is
//! saved, so ingest writes elsewhere and renames.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, ListArray, RecordBatch, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, SchemaRef};

use crate::dataset::Split;
use crate::dataset::card::ShardCard;
use crate::dataset::shards::series::Series;
use crate::error::{DataError, Result};
use crate::sequences::card::{SequencesPart, TokenType};
use crate::sequences::shards::format;

/// Where batches and shards end. The defaults suit everything; tests make them small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardLimits {
    /// A record batch ends before it would exceed this many tokens (a longer document is alone).
    pub batch_tokens: u64,
    /// A record batch ends at this many documents.
    pub batch_rows: u64,
    /// A shard ends after the batch that brings its tokens to this many bytes.
    pub shard_bytes: u64,
}

impl Default for ShardLimits {
    fn default() -> Self {
        Self { batch_tokens: 1 << 20, batch_rows: 1 << 16, shard_bytes: 1 << 28 }
    }
}

/// Writes the documents of one split as `train-00000.arrow`, `train-00001.arrow`, ...
pub struct ShardWriter {
    limits: ShardLimits,
    shards: Series<SequencesPart>,
    pending: Pending,
}

impl ShardWriter {
    /// Starts in the existing folder `root`; no file is created before the first document.
    pub fn create(
        root: &Path,
        split: Split,
        token_type: TokenType,
        mut limits: ShardLimits,
    ) -> Result<Self> {
        // Offsets inside a batch have 31 bits.
        limits.batch_tokens = limits.batch_tokens.min(1 << 30);
        if !root.is_dir() {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            return Err(DataError::io("write shards into", root)(missing));
        }
        let shards = Series::new(root, split, Arc::new(format::schema(token_type)));
        Ok(Self { limits, shards, pending: Pending::new(token_type) })
    }

    /// Appends a document. An empty one, or one of 2^31 tokens or more, is an error.
    pub fn push(&mut self, tokens: &[u32], document_id: u64, source: u32) -> Result<()> {
        self.check(tokens, document_id)?;
        let after = self.pending.tokens.len() as u64 + tokens.len() as u64;
        if after > self.limits.batch_tokens {
            self.flush()?;
        }
        self.pending.push(tokens, document_id, source);
        if self.pending.document_ids.len() as u64 >= self.limits.batch_rows {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the last shard, makes everything durable, and describes the shards in order.
    pub fn finish(mut self) -> Result<Vec<ShardCard<SequencesPart>>> {
        self.flush()?;
        self.shards.finish()
    }

    fn check(&self, tokens: &[u32], document_id: u64) -> Result<()> {
        let what = || format!("document {document_id}");
        if tokens.is_empty() {
            return Err(DataError::invalid(what(), "it has no tokens", "leave it out"));
        }
        if i32::try_from(tokens.len()).is_err() {
            let problem = format!("{} tokens exceed the limit of {}", tokens.len(), i32::MAX);
            return Err(DataError::invalid(what(), problem, "cut it into parts"));
        }
        let bits = 8 * self.pending.tokens.token_type().bytes();
        match tokens.iter().find(|&&token| u64::from(token) >> bits != 0) {
            Some(token) => Err(DataError::invalid(
                what(),
                format!("token {token} does not fit {bits} bits"),
                "state the vocabulary size of the tokenizer that made it",
            )),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending.document_ids.is_empty() {
            return Ok(());
        }
        let tokens = self.pending.tokens.len() as u64;
        let width = self.pending.tokens.token_type().bytes() as u64;
        let batch = self.pending.take(&self.shards.schema);
        let shard = self.shards.write(batch, tokens)?;
        if shard.units * width >= self.limits.shard_bytes { self.shards.close() } else { Ok(()) }
    }
}

/// The documents of the batch that is not written yet.
struct Pending {
    document_ids: Vec<u64>,
    sources: Vec<u32>,
    offsets: Vec<i32>,
    tokens: Tokens,
}

impl Pending {
    fn new(token_type: TokenType) -> Self {
        let tokens = Tokens::new(token_type);
        Self { document_ids: Vec::new(), sources: Vec::new(), offsets: vec![0], tokens }
    }

    fn push(&mut self, tokens: &[u32], document_id: u64, source: u32) {
        self.document_ids.push(document_id);
        self.sources.push(source);
        self.tokens.extend(tokens);
        let end = i32::try_from(self.tokens.len()).expect("a batch of several documents is small");
        self.offsets.push(end);
    }

    fn take(&mut self, schema: &SchemaRef) -> std::result::Result<RecordBatch, ArrowError> {
        let token_type = self.tokens.token_type();
        let taken = std::mem::replace(self, Self::new(token_type));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(taken.offsets));
        let field = format::token_field(token_type);
        let list = ListArray::try_new(field, offsets, taken.tokens.into_array(), None)?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(taken.document_ids)),
            Arc::new(UInt32Array::from(taken.sources)),
            Arc::new(list),
        ];
        RecordBatch::try_new(schema.clone(), columns)
    }
}

/// Tokens in the width of the dataset.
enum Tokens {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Tokens {
    fn new(token_type: TokenType) -> Self {
        match token_type {
            TokenType::U8 => Self::U8(Vec::new()),
            TokenType::U16 => Self::U16(Vec::new()),
            TokenType::U32 => Self::U32(Vec::new()),
        }
    }

    fn token_type(&self) -> TokenType {
        match self {
            Self::U8(_) => TokenType::U8,
            Self::U16(_) => TokenType::U16,
            Self::U32(_) => TokenType::U32,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::U8(tokens) => tokens.len(),
            Self::U16(tokens) => tokens.len(),
            Self::U32(tokens) => tokens.len(),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "ShardWriter::check proved that they fit")]
    fn extend(&mut self, from: &[u32]) {
        match self {
            Self::U8(tokens) => tokens.extend(from.iter().map(|&t| t as u8)),
            Self::U16(tokens) => tokens.extend(from.iter().map(|&t| t as u16)),
            Self::U32(tokens) => tokens.extend_from_slice(from),
        }
    }

    fn into_array(self) -> ArrayRef {
        match self {
            Self::U8(tokens) => Arc::new(UInt8Array::from(tokens)),
            Self::U16(tokens) => Arc::new(UInt16Array::from(tokens)),
            Self::U32(tokens) => Arc::new(UInt32Array::from(tokens)),
        }
    }
}
