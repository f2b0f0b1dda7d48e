//! The shard format, version 1, and the checks that make a mapped shard safe to read.
//!
//! A shard is an Arrow IPC *file* that any Arrow library reads:
//!
//! | column        | type                                    | meaning                            |
//! |---------------|-----------------------------------------|------------------------------------|
//! | `document_id` | `UInt64`, no nulls                      | given by the ingest                |
//! | `source`      | `UInt32`, no nulls                      | index into the card's `sources`    |
//! | `tokens`      | `List<UInt8 \| UInt16 \| UInt32>`, no nulls | the document, never empty      |
//!
//! Buffers are uncompressed, little-endian and aligned to 64 bytes in the file, so tokens are
//! used where the memory map puts them. A record batch holds whole documents. `List`, with
//! 32-bit offsets, and not `LargeList`: a batch is about a million tokens, so the offsets cost
//! half, and a document of 2^31 tokens does not fit a batch that is read as a whole anyway.
//!
//! Lengths inside a file are never trusted: see `columns`, which finds the buffers of a batch.

use std::sync::Arc;

use arrow_schema::{Field, Schema};

use super::columns::{self, Column, Item, Kind};
use crate::card::TokenType;

/// Alignment of every buffer in the file, bytes.
pub const ALIGNMENT: usize = 64;
/// Begins the file, padded to [`ALIGNMENT`], and ends it.
const MAGIC: &[u8] = b"ARROW1";
/// Length of the footer (4 bytes) and the magic, at the end of the file.
const TRAILER_BYTES: usize = 4 + MAGIC.len();
/// Continuation marker and length of the metadata, before each message.
pub(super) const PREFIX_BYTES: usize = 8;

/// What was wrong with the bytes; the reader adds the place.
pub(crate) type Checked<T> = std::result::Result<T, String>;

/// The columns of a shard with tokens of `token_type`.
pub(crate) fn columns(token_type: TokenType) -> [Column; 3] {
    [
        Column::new("document_id", Kind::One(Item::U64)),
        Column::new("source", Kind::One(Item::U32)),
        Column::new("tokens", Kind::List(item(token_type))),
    ]
}

fn item(token_type: TokenType) -> Item {
    match token_type {
        TokenType::U8 => Item::U8,
        TokenType::U16 => Item::U16,
        TokenType::U32 => Item::U32,
    }
}

/// The Arrow schema of a shard with tokens of `token_type`.
pub fn schema(token_type: TokenType) -> Schema {
    columns::schema_of(&columns(token_type))
}

/// The field of one token inside the list.
pub fn token_field(token_type: TokenType) -> Arc<Field> {
    columns::item_field(item(token_type))
}

/// Where a record batch lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// First byte of the message.
    pub(crate) offset: u64,
    /// Length of prefix, metadata and body.
    pub(crate) bytes: u64,
}

/// Checks the frame and the schema of a whole file and lists its record batches.
pub(crate) fn read_footer(file: &[u8], columns: &[Column]) -> Checked<Vec<Block>> {
    if file.len() < ALIGNMENT + TRAILER_BYTES {
        return Err(format!("{} bytes are too few for a shard", file.len()));
    }
    if !file.starts_with(MAGIC) || !file.ends_with(MAGIC) {
        return Err("it does not begin and end with `ARROW1`: not an Arrow file".to_owned());
    }
    let end = file.len() - TRAILER_BYTES;
    let length = read_length(file, end)?;
    let start = end
        .checked_sub(length)
        .filter(|&start| start >= ALIGNMENT)
        .ok_or_else(|| format!("a footer of {length} bytes does not fit {} bytes", file.len()))?;
    let footer = arrow_ipc::root_as_footer(&file[start..end])
        .map_err(|e| format!("the footer is malformed: {e}"))?;
    columns::check_schema(footer.schema().ok_or("the footer has no schema")?, columns)?;
    if footer.dictionaries().is_some_and(|d| !d.is_empty()) {
        return Err("it has dictionaries, shards have none".to_owned());
    }
    let blocks = footer.recordBatches().ok_or("the footer lists no record batches")?;
    blocks.iter().map(|b| block(b.offset(), b.metaDataLength(), b.bodyLength(), start)).collect()
}

fn block(offset: i64, metadata: i32, body: i64, end: usize) -> Checked<Block> {
    let bad = || format!("the footer puts a batch of {metadata} + {body} bytes at byte {offset}");
    let offset = u64::try_from(offset).map_err(|_| bad())?;
    let metadata = u64::try_from(metadata).map_err(|_| bad())?;
    let bytes = u64::try_from(body).ok().and_then(|b| b.checked_add(metadata)).ok_or_else(bad)?;
    match offset.checked_add(bytes) {
        Some(last) if last <= end as u64 => Ok(Block { offset, bytes }),
        _ => Err(bad()),
    }
}

pub(super) fn read_length(bytes: &[u8], at: usize) -> Checked<usize> {
    let four = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
    let length = i32::from_le_bytes(four.ok_or("it ends inside a length")?);
    usize::try_from(length).map_err(|_| format!("a length is {length}"))
}

/// Offsets must start at 0, rise, and end at `tokens`: then every document is inside its batch.
pub(crate) fn check_offsets(offsets: &[i32], tokens: usize) -> Checked<()> {
    let ends = (offsets.first(), offsets.last().map(|&last| usize::try_from(last)));
    if ends != (Some(&0), Some(Ok(tokens))) {
        return Err(format!("its offsets do not run from 0 to {tokens}"));
    }
    match offsets.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(row) => Err(format!("document {row} of the batch has no tokens")),
        None => Ok(()),
    }
}
