//! Shards as files, version 1, and the checks that make a mapped one safe to read.
//!
//! A shard is an Arrow IPC *file* that any Arrow library reads; its columns are those of its kind
//! ([`crate::sequences::shards::format`], [`crate::structures::shards`]). Buffers are
//! uncompressed, little-endian and aligned to 64 bytes in the file, so numbers are used where the
//! memory map puts them. A record batch holds whole samples.
//!
//! Lengths inside a file are never trusted: see `columns`, which finds the buffers of a batch.

use super::columns::{self, Column};

/// Alignment of every buffer in the file, bytes.
pub const ALIGNMENT: usize = 64;
/// Begins the file, padded to [`ALIGNMENT`], and ends it.
const MAGIC: &[u8] = b"ARROW1";
/// Length of the footer (4 bytes) and the magic, at the end of the file.
const TRAILER_BYTES: usize = 4 + MAGIC.len();
/// Continuation marker and length of the metadata, before each message.
pub(crate) const PREFIX_BYTES: usize = 8;

/// What was wrong with the bytes; the reader adds the place.
pub(crate) type Checked<T> = std::result::Result<T, String>;

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

pub(crate) fn read_length(bytes: &[u8], at: usize) -> Checked<usize> {
    let four = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
    let length = i32::from_le_bytes(four.ok_or("it ends inside a length")?);
    usize::try_from(length).map_err(|_| format!("a length is {length}"))
}
