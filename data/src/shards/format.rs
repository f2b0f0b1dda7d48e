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
//! Lengths inside a file are never trusted. The functions here take bytes of a known size and
//! return ranges inside them; no length read from a file leads to an allocation.

use std::ops::Range;
use std::sync::Arc;

use arrow_ipc::{Field as IpcField, RecordBatch, Type};
use arrow_schema::{DataType, Field, Schema};

use crate::card::TokenType;

/// Alignment of every buffer in the file, bytes.
pub const ALIGNMENT: usize = 64;
/// Begins the file, padded to [`ALIGNMENT`], and ends it.
const MAGIC: &[u8] = b"ARROW1";
/// Length of the footer (4 bytes) and the magic, at the end of the file.
const TRAILER_BYTES: usize = 4 + MAGIC.len();
/// Continuation marker and length of the metadata, before each message.
const PREFIX_BYTES: usize = 8;

/// What was wrong with the bytes; the reader adds the place.
pub(crate) type Checked<T> = std::result::Result<T, String>;

/// The Arrow schema of a shard with tokens of `token_type`.
pub fn schema(token_type: TokenType) -> Schema {
    Schema::new(vec![
        Field::new("document_id", DataType::UInt64, false),
        Field::new("source", DataType::UInt32, false),
        Field::new("tokens", DataType::List(token_field(token_type)), false),
    ])
}

/// The field of one token inside the list.
pub fn token_field(token_type: TokenType) -> Arc<Field> {
    let data_type = match token_type {
        TokenType::U8 => DataType::UInt8,
        TokenType::U16 => DataType::UInt16,
        TokenType::U32 => DataType::UInt32,
    };
    Arc::new(Field::new("item", data_type, false))
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
pub(crate) fn read_footer(file: &[u8], token_type: TokenType) -> Checked<Vec<Block>> {
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
    check_schema(footer.schema().ok_or("the footer has no schema")?, token_type)?;
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

fn read_length(bytes: &[u8], at: usize) -> Checked<usize> {
    let four = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
    let length = i32::from_le_bytes(four.ok_or("it ends inside a length")?);
    usize::try_from(length).map_err(|_| format!("a length is {length}"))
}

fn check_schema(schema: arrow_ipc::Schema<'_>, token_type: TokenType) -> Checked<()> {
    let fields = schema.fields().ok_or("the schema has no fields")?;
    let bits = i32::try_from(8 * token_type.bytes()).expect("at most 32");
    let is_shard = fields.len() == 3
        && schema.endianness() == arrow_ipc::Endianness::Little
        && fields.get(0).name() == Some("document_id")
        && is_unsigned(fields.get(0), 64)
        && fields.get(1).name() == Some("source")
        && is_unsigned(fields.get(1), 32)
        && fields.get(2).name() == Some("tokens")
        && fields.get(2).type_type() == Type::List
        && fields.get(2).children().is_some_and(|c| c.len() == 1 && is_unsigned(c.get(0), bits));
    if is_shard {
        return Ok(());
    }
    Err(format!("its columns are not those of a shard with tokens of {bits} bits"))
}

fn is_unsigned(field: IpcField<'_>, bits: i32) -> bool {
    field.type_type() == Type::Int
        && field.type_as_int().is_some_and(|int| !int.is_signed() && int.bitWidth() == bits)
}

/// Where the columns of a record batch lie, as byte ranges of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `rows` numbers of 8 bytes.
    pub(crate) document_id: Range<usize>,
    /// `rows` numbers of 4 bytes.
    pub(crate) source: Range<usize>,
    /// `rows + 1` numbers of 4 bytes.
    pub(crate) offsets: Range<usize>,
    /// The tokens.
    pub(crate) tokens: Range<usize>,
}

/// Finds the columns of the record batch `message` with `rows` documents of `tokens` tokens.
pub(crate) fn read_batch(
    message: &[u8],
    rows: usize,
    tokens: usize,
    token_type: TokenType,
) -> Checked<Layout> {
    if message.get(..4) != Some(&[0xff; 4]) {
        return Err("it does not begin with the marker of an Arrow message".to_owned());
    }
    let metadata_end = PREFIX_BYTES + read_length(message, 4)?;
    let metadata = message.get(PREFIX_BYTES..metadata_end).ok_or("its metadata is cut off")?;
    let parsed = arrow_ipc::root_as_message(metadata)
        .map_err(|e| format!("its metadata is malformed: {e}"))?;
    let batch = parsed.header_as_record_batch().ok_or("it is not a record batch")?;
    if batch.compression().is_some() {
        return Err("it is compressed, shards are not".to_owned());
    }
    check_lengths(batch, rows, tokens)?;
    let body = Body { start: metadata_end, bytes: message.len() - metadata_end };
    // Each column has a validity buffer before its data; the list has one more pair for items.
    Ok(Layout {
        document_id: body.column(batch, 1, rows, 8)?,
        source: body.column(batch, 3, rows, 4)?,
        offsets: body.column(batch, 5, rows + 1, 4)?,
        tokens: body.column(batch, 7, tokens, token_type.bytes())?,
    })
}

fn check_lengths(batch: RecordBatch<'_>, rows: usize, tokens: usize) -> Checked<()> {
    let nodes = batch.nodes().ok_or("it has no columns")?;
    let buffers = batch.buffers().map_or(0, |b| b.len());
    if nodes.len() != 4 || buffers != 8 {
        return Err(format!("it has {} columns and {buffers} buffers, not 4 and 8", nodes.len()));
    }
    for (node, want) in nodes.iter().zip([rows, rows, rows, tokens]) {
        if usize::try_from(node.length()) != Ok(want) || node.null_count() != 0 {
            return Err(format!(
                "a column has {} values with {} nulls, the card says {want} without nulls",
                node.length(),
                node.null_count()
            ));
        }
    }
    Ok(())
}

struct Body {
    start: usize,
    bytes: usize,
}

impl Body {
    fn column(
        &self,
        batch: RecordBatch<'_>,
        buffer: usize,
        count: usize,
        width: usize,
    ) -> Checked<Range<usize>> {
        let buffers = batch.buffers().ok_or("it has no buffers")?;
        let (offset, length) = (buffers.get(buffer).offset(), buffers.get(buffer).length());
        let bad = || {
            format!("buffer {buffer} of {length} bytes lies at {offset} of {} bytes", self.bytes)
        };
        let needed = count.checked_mul(width).ok_or_else(bad)?;
        let offset = usize::try_from(offset).map_err(|_| bad())?;
        let long_enough = usize::try_from(length).is_ok_and(|length| length >= needed);
        let inside = offset.checked_add(needed).is_some_and(|end| end <= self.bytes);
        if !long_enough || !inside {
            return Err(bad());
        }
        Ok(self.start + offset..self.start + offset + needed)
    }
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
