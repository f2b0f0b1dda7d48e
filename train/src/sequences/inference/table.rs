//! Result tables: CSV, JSON lines or Parquet, told from the file's ending. A file appears complete
//! or not at all.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, Float64Builder, ListBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};

use super::error::InferenceError;

/// Format of an output file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// `.csv`
    Csv,
    /// `.jsonl`
    Jsonl,
    /// `.parquet`
    Parquet,
    /// `.safetensors`
    Safetensors,
}

impl Ending {
    /// The format that the ending of `path` names, if it is among `allowed`.
    ///
    /// # Errors
    /// [`InferenceError::Ending`] with what is allowed.
    pub fn of(path: &Path, allowed: &[Self]) -> Result<Self, InferenceError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let found = match extension.as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            "parquet" => Some(Self::Parquet),
            "safetensors" => Some(Self::Safetensors),
            _ => None,
        };
        let endings = if allowed.contains(&Self::Csv) {
            ".csv, .jsonl, .parquet"
        } else {
            ".safetensors, .parquet"
        };
        found
            .filter(|ending| allowed.contains(ending))
            .ok_or_else(|| InferenceError::Ending { path: path.to_path_buf(), endings })
    }
}

/// Values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Text.
    Text(Vec<String>),
    /// Counts.
    Count(Vec<u64>),
    /// Numbers, some absent.
    Number(Vec<Option<f64>>),
    /// A list of numbers each; left out of CSV.
    Lists(Vec<Vec<f64>>),
    /// A vector each; left out of CSV.
    Vectors(Vec<Vec<f32>>),
}

/// Writes columns of one length to `path` in the format of its ending.
///
/// # Errors
/// An ending that names no table, input/output errors.
pub fn write_table(path: &Path, columns: &[(&str, Column)]) -> Result<(), InferenceError> {
    match Ending::of(path, &[Ending::Csv, Ending::Jsonl, Ending::Parquet])? {
        Ending::Csv => write_file(path, csv(columns).as_bytes()),
        Ending::Jsonl => write_file(path, jsonl(columns).as_bytes()),
        _ => write_parquet(path, columns),
    }
}

/// Writes columns of one length as Parquet.
///
/// # Errors
/// Input/output errors.
pub fn write_parquet(path: &Path, columns: &[(&str, Column)]) -> Result<(), InferenceError> {
    let arrays = columns.iter().map(|(name, column)| (*name, column.array()));
    let batch = RecordBatch::try_from_iter(arrays).map_err(|e| InferenceError::table(path, &e))?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None)
        .map_err(|error| InferenceError::table(path, &error))?;
    writer
        .write(&batch)
        .and_then(|()| writer.close())
        .map_err(|error| InferenceError::table(path, &error))?;
    write_file(path, &bytes)
}

/// Writes a file beside its place, syncs it, renames it.
///
/// # Errors
/// Input/output errors; nothing is left then.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), InferenceError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staged = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = File::create(&staged)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&staged, path));
    written.map_err(|error| {
        // The error is what matters; the staged file may never have been made.
        let _ = fs::remove_file(&staged);
        InferenceError::io(path, "write")(error)
    })
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Count(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Lists(values) => values.len(),
            Self::Vectors(values) => values.len(),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(StringArray::from_iter_values(values)),
            Self::Count(values) => Arc::new(UInt64Array::from(values.clone())),
            Self::Number(values) => Arc::new(Float64Array::from(values.clone())),
            Self::Lists(rows) => {
                let mut builder = ListBuilder::new(Float64Builder::new());
                for row in rows {
                    builder.values().append_slice(row);
                    builder.append(true);
                }
                Arc::new(builder.finish())
            }
            Self::Vectors(rows) => {
                let mut builder = ListBuilder::new(Float32Builder::new());
                for row in rows {
                    builder.values().append_slice(row);
                    builder.append(true);
                }
                Arc::new(builder.finish())
            }
        }
    }

    fn json(&self, row: usize) -> Value {
        match self {
            Self::Text(values) => values[row].clone().into(),
            Self::Count(values) => values[row].into(),
            Self::Number(values) => values[row].into(),
            Self::Lists(values) => values[row].clone().into(),
            Self::Vectors(values) => values[row].clone().into(),
        }
    }

    /// The field of a CSV row; none if the column does not fit in one.
    fn csv(&self, row: usize) -> Option<String> {
        match self {
            Self::Text(values) => Some(quoted(&values[row])),
            Self::Count(values) => Some(values[row].to_string()),
            Self::Number(values) => Some(values[row].map_or_else(String::new, |v| v.to_string())),
            Self::Lists(_) | Self::Vectors(_) => None,
        }
    }
}

/// RFC 4180: quotes around a field with a comma, quote or line break; quotes inside doubled.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn num_rows(columns: &[(&str, Column)]) -> usize {
    columns.first().map_or(0, |(_, column)| column.len())
}

fn csv(columns: &[(&str, Column)]) -> String {
    let fits = |column: &Column| !matches!(column, Column::Lists(_) | Column::Vectors(_));
    let names: Vec<&str> =
        columns.iter().filter(|(_, column)| fits(column)).map(|(name, _)| *name).collect();
    let mut text = names.join(",") + "\n";
    for row in 0..num_rows(columns) {
        let fields: Vec<String> =
            columns.iter().filter_map(|(_, column)| column.csv(row)).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn jsonl(columns: &[(&str, Column)]) -> String {
    let mut text = String::new();
    for row in 0..num_rows(columns) {
        let object: Map<String, Value> =
            columns.iter().map(|(name, column)| ((*name).to_owned(), column.json(row))).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", Value::Object(object));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<(&'static str, Column)> {
        vec![
            ("id", Column::Text(vec!["a".into(), "b,\"c\"".into()])),
            ("n", Column::Count(vec![1, 2])),
            ("score", Column::Number(vec![Some(-0.5), None])),
            ("tokens", Column::Lists(vec![vec![1.0], vec![]])),
        ]
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_lists_out() {
        assert_eq!(csv(&example()), "id,n,score\na,1,-0.5\n\"b,\"\"c\"\"\",2,\n");
    }

    #[test]
    fn json_lines_hold_every_column() {
        let text = jsonl(&example());
        assert_eq!(
            text,
            "{\"id\":\"a\",\"n\":1,\"score\":-0.5,\"tokens\":[1.0]}\n\
             {\"id\":\"b,\\\"c\\\"\",\"n\":2,\"score\":null,\"tokens\":[]}\n"
        );
    }

    #[test]
    fn parquet_reads_back_with_the_same_columns() {
        use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        write_table(&path, &example()).unwrap();
        let bytes = bytes::Bytes::from(fs::read(&path).unwrap());
        let batches: Vec<RecordBatch> =
            ParquetRecordBatchReader::try_new(bytes, 10).unwrap().map(Result::unwrap).collect();
        assert_eq!(batches[0].num_rows(), 2);
        for (index, (name, column)) in example().iter().enumerate() {
            assert_eq!(batches[0].schema().field(index).name(), name);
            assert_eq!(batches[0].column(index).as_ref(), column.array().as_ref());
        }
    }

    #[test]
    fn an_ending_that_names_no_format_is_refused_with_those_that_do() {
        let error = write_table(Path::new("scores.txt"), &example()).unwrap_err().to_string();
        assert!(error.contains(".csv, .jsonl, .parquet"), "{error}");
    }
}
