//! Parquet: one structure a row, list columns with the names of `named_lists`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::batches::{self, Batches};
use crate::error::Result;
use crate::files::sha256_of_file;
use crate::formats::named_lists::{Cell, assemble};
use crate::formats::raw_frame::RawFrame;
use crate::formats::{Opened, ReadOptions, Reader, Record, Refusal, Tally, Unparsed};

const BATCH_ROWS: usize = 256;

struct ParquetReader {
    batches: Batches,
    batch: Option<RecordBatch>,
    /// Next row of the batch, and rows of the file given out so far.
    next: usize,
    row: u64,
    limit: u64,
}

/// Opens the file; its digest is taken in a pass of its own, as Parquet is not read in order.
pub(super) fn open(path: &Path, options: &ReadOptions<'_>) -> Result<Opened<Unparsed>> {
    let (bytes, digest) = sha256_of_file(path, |_| ())?;
    let batches = Batches::new(path, batches::open(path)?, BATCH_ROWS)?;
    let limit = options.max_record_bytes;
    let reader = ParquetReader { batches, batch: None, next: 0, row: 0, limit };
    Ok(Opened::new(reader, Arc::new(Tally::known(bytes, digest))))
}

impl Reader<Unparsed> for ParquetReader {
    fn next_record(&mut self) -> Result<Option<Record<Unparsed>>> {
        while self.batch.as_ref().is_none_or(|batch| self.next >= batch.num_rows()) {
            let Some(batch) = self.batches.next()? else { return Ok(None) };
            self.batch = Some(batch);
            self.next = 0;
        }
        let batch = self.batch.as_ref().expect("the loop filled it");
        let frame = frame(batch, self.next);
        let content = frame.and_then(|frame| Unparsed::of_frame(frame, self.limit));
        self.next += 1;
        self.row += 1;
        Ok(Some(Record::new(self.row, content)))
    }
}

fn frame(batch: &RecordBatch, row: usize) -> Result<RawFrame, Refusal> {
    let mut cells = BTreeMap::new();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if column.is_null(row) {
            continue;
        }
        // Columns of other types are someone else's.
        if let Some(cell) = cell(&column.slice(row, 1)) {
            cells.insert(field.name().clone(), cell);
        }
    }
    assemble(cells)
}

/// A single value of a column as text; `None` where it is null or no single value.
pub(super) fn shown(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    match cell(&column.slice(row, 1))? {
        Cell::Text(text) => Some(text),
        Cell::Numbers(numbers) => Some(numbers.first()?.to_string()),
        Cell::Integers(numbers) => Some(numbers.first()?.to_string()),
        _ => None,
    }
}

/// All values below one row.
fn cell(array: &ArrayRef) -> Option<Cell> {
    let numbers = |values: Vec<f64>| Some(Cell::Numbers(values));
    match array.data_type() {
        DataType::List(_) => list(&array.as_list::<i32>().value(0)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(0)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(0)),
        DataType::Float64 => numbers(array.as_primitive::<Float64Type>().values().to_vec()),
        DataType::Float32 => numbers(
            array.as_primitive::<Float32Type>().values().iter().map(|&x| f64::from(x)).collect(),
        ),
        DataType::Int64 => {
            Some(Cell::Integers(array.as_primitive::<Int64Type>().values().to_vec()))
        }
        DataType::Int32 => Some(whole(array.as_primitive::<Int32Type>().values())),
        DataType::Int16 => Some(whole(array.as_primitive::<Int16Type>().values())),
        DataType::Int8 => Some(whole(array.as_primitive::<Int8Type>().values())),
        DataType::UInt32 => Some(whole(array.as_primitive::<UInt32Type>().values())),
        DataType::UInt16 => Some(whole(array.as_primitive::<UInt16Type>().values())),
        DataType::UInt8 => Some(whole(array.as_primitive::<UInt8Type>().values())),
        DataType::UInt64 => {
            numbers(array.as_primitive::<UInt64Type>().values().iter().map(|&x| x as f64).collect())
        }
        DataType::Boolean => Some(Cell::Truths(array.as_boolean().values().iter().collect())),
        DataType::Utf8 => texts(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => texts(array.as_string::<i64>().iter()),
        DataType::Utf8View => texts(array.as_string_view().iter()),
        _ => None,
    }
}

fn whole<T: Copy + Into<i64>>(values: &[T]) -> Cell {
    Cell::Integers(values.iter().map(|&x| x.into()).collect())
}

fn list(items: &ArrayRef) -> Option<Cell> {
    // A hole inside a list is no number, and must not pass for one.
    if items.null_count() > 0 {
        return Some(Cell::Numbers(vec![f64::NAN]));
    }
    match items.data_type() {
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            let mut all = Vec::new();
            for item in 0..items.len() {
                match cell(&items.slice(item, 1))? {
                    Cell::Numbers(numbers) => all.extend(numbers),
                    Cell::Integers(numbers) => all.extend(numbers.into_iter().map(|x| x as f64)),
                    _ => return None,
                }
            }
            Some(Cell::Numbers(all))
        }
        _ => match cell(items)? {
            Cell::Text(text) => Some(Cell::Texts(vec![text])),
            cell => Some(cell),
        },
    }
}

fn texts<'t>(values: impl Iterator<Item = Option<&'t str>>) -> Option<Cell> {
    let mut texts: Vec<String> = values.flatten().map(str::to_owned).collect();
    if texts.len() == 1 { texts.pop().map(Cell::Text) } else { Some(Cell::Texts(texts)) }
}
