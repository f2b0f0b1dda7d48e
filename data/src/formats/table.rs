//! CSV and TSV with a header line: one column is the text. Quotes and quoted line ends work.

use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::lines::Lines;
use super::table_columns::{choose_column, label_columns};
use super::{
    Format, Labels, Opened, ReadOptions, Reader as Records, Record, Refusal, Text, open_lines,
};
use crate::error::{DataError, Result};

pub(super) static CSV: Format = Format {
    name: "csv",
    about: "Comma-separated values with a header line",
    extensions: &["csv"],
    takes: &["column"],
    documents: Some(|path, options| open(path, options, b',')),
    structures: None,
};

pub(super) static TSV: Format = Format {
    name: "tsv",
    about: "Tab-separated values with a header line",
    extensions: &["tsv", "tab"],
    takes: &["column"],
    documents: Some(|path, options| open(path, options, b'\t')),
    structures: None,
};

fn open(path: &Path, options: &ReadOptions<'_>, delimiter: u8) -> Result<Opened<Text>> {
    let (lines, tally) = open_lines(path, options)?;
    Ok(Opened::new(TableReader::new(lines, delimiter, options)?, tally))
}

/// More fields than any table has; a binary file may well "have" more.
const MAX_COLUMNS: usize = 1 << 16;

struct TableReader {
    lines: Lines,
    parser: Reader,
    column: usize,
    /// Columns of the name and of the measured value, if they are asked for.
    labels: Option<[Option<usize>; 2]>,
    num_columns: usize,
    /// Unquoted bytes of the row, and where each field ends in them.
    row: Vec<u8>,
    ends: Vec<usize>,
}

/// What [`TableReader::read_row`] found.
enum Row {
    Fields(usize),
    TooLong(u64),
    End,
}

impl TableReader {
    fn new(lines: Lines, delimiter: u8, options: &ReadOptions<'_>) -> Result<Self> {
        let parser = ReaderBuilder::new().delimiter(delimiter).build();
        let (row, ends) = (vec![0; 1 << 12], vec![0; 64]);
        let mut reader = Self { lines, parser, column: 0, labels: None, num_columns: 0, row, ends };
        match reader.read_row()? {
            // The pipeline reports a file without records as empty.
            Row::End => {}
            Row::TooLong(bytes) => return Err(reader.bad_header(bytes)),
            Row::Fields(count) => {
                let names: Vec<String> = (0..count)
                    .map(|i| String::from_utf8_lossy(reader.field(i)).trim().to_owned())
                    .collect();
                let file = reader.lines.path().display().to_string();
                reader.column = choose_column(&file, &names, options.column)?;
                let places = |asked| label_columns(&file, &names, reader.column, asked);
                reader.labels = options.labels.map(places).transpose()?;
                reader.num_columns = count;
            }
        }
        Ok(reader)
    }

    fn bad_header(&self, bytes: u64) -> DataError {
        DataError::Input {
            path: self.lines.path().to_path_buf(),
            place: ":1".to_owned(),
            problem: format!("the header line has {bytes} bytes or too many columns"),
            fix: "check that the file is a table; a quote may be left open".to_owned(),
        }
    }

    fn field(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.row[start..self.ends[i]]
    }

    fn label(&self, i: usize) -> String {
        String::from_utf8_lossy(self.field(i).trim_ascii()).into_owned()
    }

    /// Parses one row; of a row beyond the limit only the length is kept.
    fn read_row(&mut self) -> Result<Row> {
        let (mut length, mut count, mut skipped) = (0usize, 0usize, 0u64);
        loop {
            let input = self.lines.fill()?;
            let (result, read, written, ended) =
                self.parser.read_record(input, &mut self.row[length..], &mut self.ends[count..]);
            self.lines.consume(read);
            length += written;
            count += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if (self.row.len() as u64) < self.lines.limit() => {
                    self.row.resize(self.row.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_COLUMNS => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    skipped += length as u64;
                    (length, count) = (0, 0);
                }
                ReadRecordResult::Record if skipped > 0 => {
                    return Ok(Row::TooLong(skipped + length as u64));
                }
                ReadRecordResult::Record => return Ok(Row::Fields(count)),
                ReadRecordResult::End => return Ok(Row::End),
            }
        }
    }

    fn text(&self, count: usize) -> Result<Text, Refusal> {
        if count != self.num_columns {
            let problem =
                format!("the row has {count} columns, the header has {}", self.num_columns);
            return Err(Refusal::new("columns", problem));
        }
        Ok(self.field(self.column).to_vec())
    }
}

impl Records<Text> for TableReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        let line = self.parser.line();
        let content = match self.read_row()? {
            Row::End => return Ok(None),
            Row::TooLong(bytes) => Err(Refusal::too_long(bytes, self.lines.limit())),
            Row::Fields(count) => self.text(count),
        };
        let labels = self.labels.filter(|_| content.is_ok()).map(|[name, measured]| Labels {
            name: name.map(|at| self.label(at)),
            measured: measured.map(|at| self.label(at)),
        });
        Ok(Some(Record::new(line, content).labelled(labels)))
    }
}
