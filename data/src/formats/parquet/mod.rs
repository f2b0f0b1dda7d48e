//! Parquet, read batch by batch: one string column of which no other is decoded, or structures.

mod structure;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::table_columns::{choose_column, label_columns};
use super::{Format, Labels, Opened, ReadOptions, Reader, Record, Refusal, Tally, Text};
use crate::error::{DataError, Result};
use crate::files::sha256_of_file;

pub(super) static FORMAT: Format = Format {
    name: "parquet",
    about: "Apache Parquet",
    extensions: &["parquet", "pq"],
    takes: &["column"],
    documents: Some(open),
    structures: Some(structure::open),
};

const BATCH_ROWS: usize = 1024;

struct ParquetReader {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    column: Option<ArrayRef>,
    /// Columns of the name and of the measured value, if they are asked for.
    labels: Option<[Option<ArrayRef>; 2]>,
    /// Names of the text column and of those two.
    names: (String, Option<[Option<String>; 2]>),
    /// Next row of the batch, and rows of the file given out so far.
    next: usize,
    row: u64,
    limit: u64,
}

/// Opens the file; its digest is taken in a pass of its own, as Parquet is not read in order.
fn open(path: &Path, options: &ReadOptions<'_>) -> Result<Opened<Text>> {
    let (bytes, digest) = sha256_of_file(path, |_| ())?;
    let file = File::open(path).map_err(DataError::io("open", path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|e| broken(path, "", &e.to_string()))?;
    let fields = builder.schema().fields();
    let strings: Vec<String> =
        fields.iter().filter(|f| is_string(f.data_type())).map(|f| f.name().clone()).collect();
    let file = path.display().to_string();
    let text = strings[choose_column(&file, &strings, options.column)?].clone();
    let all: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
    let place = |name: &str| all.iter().position(|it| it == name).expect("a name of these");
    let places = |asked| label_columns(&file, &all, place(&text), asked);
    let labels = options.labels.map(places).transpose()?;
    let roots = labels.into_iter().flatten().flatten().chain([place(&text)]);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let labels = labels.map(|both| both.map(|place| place.map(|at| all[at].clone())));
    let batches = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| broken(path, "", &e.to_string()))?;
    let reader = ParquetReader {
        path: path.to_path_buf(),
        batches,
        column: None,
        labels: None,
        names: (text, labels),
        next: 0,
        row: 0,
        limit: options.max_record_bytes,
    };
    Ok(Opened::new(reader, Arc::new(Tally::known(bytes, digest))))
}

fn is_string(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn broken(path: &Path, place: &str, problem: &str) -> DataError {
    DataError::Input {
        path: path.to_path_buf(),
        place: place.to_owned(),
        problem: format!("not readable as Parquet: {problem}"),
        fix: "check the file, or state its true format".to_owned(),
    }
}

/// The string at `row`; `None` if it is null.
fn value(column: &ArrayRef, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row),
        _ => column.as_string_view().value(row),
    })
}

impl Reader<Text> for ParquetReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        while self.column.as_ref().is_none_or(|column| self.next >= column.len()) {
            let Some(batch) = self.batches.next() else { return Ok(None) };
            let place = format!(" after row {}", self.row);
            let batch = batch.map_err(|e| broken(&self.path, &place, &e.to_string()))?;
            let (text, labels) = &self.names;
            self.column = batch.column_by_name(text).map(Arc::clone);
            let column = |name: &Option<String>| {
                name.as_ref().and_then(|name| batch.column_by_name(name)).map(Arc::clone)
            };
            self.labels = labels.as_ref().map(|both| both.each_ref().map(column));
            self.next = 0;
        }
        let column = self.column.as_ref().expect("the loop filled it");
        let content = match value(column, self.next) {
            None => Err(Refusal::new("null", "the value is null")),
            Some(text) if text.len() as u64 > self.limit => {
                Err(Refusal::too_long(text.len() as u64, self.limit))
            }
            Some(text) => Ok(text.as_bytes().to_vec()),
        };
        let labels = self.labels.as_ref().map(|both| {
            let [name, measured] =
                both.each_ref().map(|it| structure::shown(it.as_ref()?, self.next));
            Labels { name, measured }
        });
        self.next += 1;
        self.row += 1;
        Ok(Some(Record::new(self.row, content).labelled(labels)))
    }
}
