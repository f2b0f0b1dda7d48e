//! Streams structures into Arrow shards, hashing as it writes, in memory bounded by one batch.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, FixedSizeListArray, Float64Array, ListArray, RecordBatch, StringArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, SchemaRef};
use genesis_schema::Frame;

use super::{COLUMNS, StoredFrame};
use crate::dataset::Split;
use crate::dataset::card::ShardCard;
use crate::dataset::shards::columns::{Item, item_field, schema_of};
use crate::dataset::shards::series::Series;
use crate::error::{DataError, Result};
use crate::structures::card::StructuresPart;

/// Where batches and shards end. The defaults suit everything; tests make them small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructuresShardLimits {
    /// A record batch ends with the structure that brings it to this many atoms.
    pub batch_atoms: u64,
    /// A record batch ends at this many structures.
    pub batch_frames: u64,
    /// A shard ends after the batch that brings it to this many bytes.
    pub shard_bytes: u64,
}

impl Default for StructuresShardLimits {
    fn default() -> Self {
        Self { batch_atoms: 1 << 16, batch_frames: 1 << 12, shard_bytes: 1 << 28 }
    }
}

/// Atoms of one structure at most: three coordinates each must count in 31 bits of a batch that
/// may be nearly full.
const MAX_ATOMS: usize = 1 << 28;

/// Writes the structures of one split as `train-00000.arrow`, `train-00001.arrow`, ...
pub struct StructuresShardWriter {
    limits: StructuresShardLimits,
    shards: Series<StructuresPart>,
    pending: Vec<StoredFrame>,
    pending_atoms: u64,
}

impl StructuresShardWriter {
    /// Starts in the existing folder `root`; no file is created before the first structure.
    pub fn create(root: &Path, split: Split, mut limits: StructuresShardLimits) -> Self {
        limits.batch_atoms = limits.batch_atoms.min(1 << 26);
        let shards = Series::new(root, split, Arc::new(schema_of(&COLUMNS)));
        Self { limits, shards, pending: Vec::new(), pending_atoms: 0 }
    }

    /// Appends a structure.
    ///
    /// # Errors
    /// No atoms, or more than 2^28; positions or forces that are not one for each atom.
    pub fn push(&mut self, stored: StoredFrame) -> Result<()> {
        check(&stored)?;
        self.pending_atoms += stored.frame.atomic_numbers.len() as u64;
        self.pending.push(stored);
        let full = self.pending_atoms >= self.limits.batch_atoms
            || self.pending.len() as u64 >= self.limits.batch_frames;
        if full { self.flush() } else { Ok(()) }
    }

    /// Ends the last shard, makes everything durable, and describes the shards in order.
    pub fn finish(mut self) -> Result<Vec<ShardCard<StructuresPart>>> {
        self.flush()?;
        self.shards.finish()
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let batch = batch(&self.shards.schema, &std::mem::take(&mut self.pending));
        let shard = self.shards.write(batch, std::mem::take(&mut self.pending_atoms))?;
        if shard.bytes >= self.limits.shard_bytes { self.shards.close() } else { Ok(()) }
    }
}

fn check(stored: &StoredFrame) -> Result<()> {
    let Frame { atomic_numbers, positions, labels, .. } = &stored.frame;
    let atoms = atomic_numbers.len();
    let forces = labels.forces.as_ref().map_or(atoms, Vec::len);
    if (1..=MAX_ATOMS).contains(&atoms) && positions.len() == atoms && forces == atoms {
        return Ok(());
    }
    let problem = format!(
        "{atoms} atomic numbers, {} positions and {forces} forces do not make a structure",
        positions.len()
    );
    Err(DataError::invalid(
        format!("structure {}", stored.id),
        problem,
        "give one of each per atom",
    ))
}

fn batch(schema: &SchemaRef, stored: &[StoredFrame]) -> Result<RecordBatch, ArrowError> {
    let frames = || stored.iter().map(|stored| &stored.frame);
    let labels = || frames().map(|frame| &frame.labels);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(stored.iter().map(|s| s.id).collect::<UInt64Array>()),
        Arc::new(stored.iter().map(|s| s.source).collect::<UInt32Array>()),
        Arc::new(stored.iter().map(|s| s.line).collect::<UInt64Array>()),
        Arc::new(numbers(stored)?),
        Arc::new(triples(frames().map(|frame| Some(&frame.positions)))?),
        Arc::new(fixed(9, frames().map(|frame| Some(frame.cell.concat())))?),
        Arc::new(frames().map(|frame| bits(frame.periodic)).collect::<UInt8Array>()),
        Arc::new(labels().map(|labels| labels.energy).collect::<Float64Array>()),
        Arc::new(triples(labels().map(|labels| labels.forces.as_ref()))?),
        Arc::new(fixed(9, labels().map(|labels| labels.stress.map(|rows| rows.concat())))?),
        Arc::new(fixed(4, frames().map(|frame| Some(weights(frame))))?),
        Arc::new(frames().map(|frame| Some(&frame.config_type)).collect::<StringArray>()),
        Arc::new(frames().map(|frame| Some(&frame.head)).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema.clone(), columns)
}

fn weights(frame: &Frame) -> Vec<f64> {
    let w = frame.weights;
    vec![w.config, w.energy, w.forces, w.stress]
}

fn bits(periodic: [bool; 3]) -> u8 {
    u8::from(periodic[0]) | u8::from(periodic[1]) << 1 | u8::from(periodic[2]) << 2
}

fn numbers(stored: &[StoredFrame]) -> Result<ListArray, ArrowError> {
    let lists = || stored.iter().map(|stored| &stored.frame.atomic_numbers);
    let values: UInt8Array = lists().flatten().copied().collect::<Vec<u8>>().into();
    let offsets = OffsetBuffer::from_lengths(lists().map(Vec::len));
    ListArray::try_new(item_field(Item::U8), offsets, Arc::new(values), None)
}

/// Lists of vectors, laid out number by number.
fn triples<'a>(
    lists: impl Iterator<Item = Option<&'a Vec<[f64; 3]>>> + Clone,
) -> Result<ListArray, ArrowError> {
    let values: Vec<f64> = lists.clone().flatten().flatten().flatten().copied().collect();
    let offsets = OffsetBuffer::from_lengths(lists.clone().map(|l| l.map_or(0, |l| 3 * l.len())));
    let nulls: NullBuffer = lists.map(|list| list.is_some()).collect();
    ListArray::try_new(
        item_field(Item::F64),
        offsets,
        Arc::new(Float64Array::from(values)),
        some_null(nulls),
    )
}

fn fixed(
    count: i32,
    lists: impl Iterator<Item = Option<Vec<f64>>>,
) -> Result<FixedSizeListArray, ArrowError> {
    let (mut values, mut valid) = (Vec::new(), Vec::new());
    for list in lists {
        valid.push(list.is_some());
        let width = usize::try_from(count).unwrap_or(0);
        values.extend(list.unwrap_or_else(|| vec![0.0; width]));
    }
    let values = Arc::new(Float64Array::from(values));
    let nulls = some_null(NullBuffer::from(valid));
    FixedSizeListArray::try_new(item_field(Item::F64), count, values, nulls)
}

fn some_null(nulls: NullBuffer) -> Option<NullBuffer> {
    (nulls.null_count() > 0).then_some(nulls)
}
