//! The columns of a shard of documents, version 1.
//!
//! | column        | type                                    | meaning                            |
//! |---------------|-----------------------------------------|------------------------------------|
//! | `document_id` | `UInt64`, no nulls                      | given by the ingest                |
//! | `source`      | `UInt32`, no nulls                      | index into the card's `sources`    |
//! | `tokens`      | `List<UInt8 \| UInt16 \| UInt32>`, no nulls | the document, never empty      |
//!
//! `List`, with 32-bit offsets, and not `LargeList`: a batch is about a million tokens, so the
//! offsets cost half, and a document of 2^31 tokens does not fit a batch that is read as a whole
//! anyway.

use std::sync::Arc;

use arrow_schema::{Field, Schema};

use crate::dataset::shards::columns::{self, Column, Item, Kind};
use crate::dataset::shards::format::Checked;
use crate::sequences::card::TokenType;

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
