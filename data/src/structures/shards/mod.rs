//! Shards of structures, version 1: Arrow IPC files that any Arrow library reads.
//!
//! | column           | type                       | meaning                                       |
//! |------------------|----------------------------|-----------------------------------------------|
//! | `frame_id`       | `UInt64`                   | number of the record in the ingest            |
//! | `source`         | `UInt32`                   | index into the card's `sources`               |
//! | `line`           | `UInt64`                   | its first line (binary formats: row), from 1  |
//! | `atomic_numbers` | `List<UInt8>`              | `[n]`, 1 to 118                               |
//! | `positions`      | `List<Float64>`            | `[n, 3]` row by row, Å                        |
//! | `cell`           | `FixedSizeList<Float64, 9>`| lattice vectors as rows, Å; zeros for none    |
//! | `periodic`       | `UInt8`                    | bit `k`: lattice vector `k` is periodic       |
//! | `energy`         | `Float64`, nullable        | eV                                            |
//! | `forces`         | `List<Float64>`, nullable  | `[n, 3]` row by row, eV/Å                     |
//! | `stress`         | `FixedSizeList<Float64, 9>`, nullable | `dE/dε / volume`, eV/Å^3           |
//! | `weights`        | `FixedSizeList<Float64, 4>`| of structure, energy, forces, stress          |
//! | `config_type`    | `Utf8`                     | kind of structure; may be empty               |
//! | `head`           | `Utf8`                     | may be empty                                  |
//!
//! Numbers are those of the input after one conversion of units, in f64. Buffers lie as in the
//! shards of tokens ([`crate::dataset::shards::format`]), and are checked by the same code.

mod reader;
mod writer;

use genesis_schema::Frame;

use crate::dataset::shards::columns::{Column, Item, Kind};

pub use reader::StructuresShardReader;
pub use writer::{StructuresShardLimits, StructuresShardWriter};

pub(crate) const COLUMNS: [Column; 13] = [
    Column::new("frame_id", Kind::One(Item::U64)),
    Column::new("source", Kind::One(Item::U32)),
    Column::new("line", Kind::One(Item::U64)),
    Column::new("atomic_numbers", Kind::List(Item::U8)),
    Column::new("positions", Kind::List(Item::F64)),
    Column::new("cell", Kind::Fixed(9)),
    Column::new("periodic", Kind::One(Item::U8)),
    Column::nullable("energy", Kind::One(Item::F64)),
    Column::nullable("forces", Kind::List(Item::F64)),
    Column::nullable("stress", Kind::Fixed(9)),
    Column::new("weights", Kind::Fixed(4)),
    Column::new("config_type", Kind::Text),
    Column::new("head", Kind::Text),
];

/// A structure as a dataset holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFrame {
    /// The structure.
    pub frame: Frame,
    /// Its number among all records of the ingest.
    pub id: u64,
    /// Index of its raw file in the card's `sources`.
    pub source: u32,
    /// Its first line there, from 1.
    pub line: u64,
}
