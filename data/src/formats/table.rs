//! CSV and TSV: one column is the text.
//!
//! In CSV quotes are read as RFC 4180 has them; in TSV a quote is a character like any other, unless
//! every name of the header line stands in quotes, as R writes them. Spreadsheets of some countries
//! write `;` for the comma. What was taken for what is noted.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::delimited::{Row, Rows};
use super::lines::{Lines, without_end};
use super::table_columns::{choose_column, is_header, label_columns};
use super::{
    Format, Labels, Opened, ReadOptions, Reader, Record, Refusal, Tally, Text, open_lines,
};
use crate::error::Result;

pub(super) static CSV: Format = Format {
    name: "csv",
    about: "Comma-separated values",
    extensions: &["csv"],
    takes: &["column", "header", "quotes"],
    documents: Some(|path, options| open(path, options, b',')),
    ..Format::HOLDS_NOTHING
};

pub(super) static TSV: Format = Format {
    name: "tsv",
    about: "Tab-separated values",
    extensions: &["tsv", "tab"],
    takes: &["column", "header", "quotes"],
    documents: Some(|path, options| open(path, options, b'\t')),
    ..Format::HOLDS_NOTHING
};

/// What a quote is in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quotes {
    /// It begins and ends a field that may hold delimiters and line ends; doubled it is itself.
    Fields,
    /// A character like any other.
    Text,
}

/// How the bytes of one table are divided.
struct Layout {
    delimiter: u8,
    quotes: Quotes,
}

fn open(path: &Path, options: &ReadOptions<'_>, delimiter: u8) -> Result<Opened<Text>> {
    let (mut lines, tally) = open_lines(path, options)?;
    let (layout, skipped) = layout(&mut lines, delimiter, options.quotes, &tally)?;
    let rows = Rows::new(lines, layout.delimiter, layout.quotes == Quotes::Fields, skipped)?;
    Ok(Opened::new(TableReader::new(rows, options, &tally)?, tally))
}

/// How the table is divided, by its first line, and how many lines say so and are no rows.
fn layout(
    lines: &mut Lines,
    delimiter: u8,
    quotes: Option<Quotes>,
    tally: &Arc<Tally>,
) -> Result<(Layout, u64)> {
    let end = lines.end()?;
    let ready = lines.fill()?;
    let length = memchr::memchr(end, ready).map_or(ready.len(), |at| at + 1);
    let first = without_end(&ready[..length]);
    let usual = if delimiter == b'\t' { Quotes::Text } else { Quotes::Fields };
    if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] = *first {
        lines.consume(length);
        return Ok((Layout { delimiter, quotes: quotes.unwrap_or(usual) }, 1));
    }
    let has = |byte| outside_quotes(first).any(|it| it == byte);
    if delimiter == b',' && !has(b',') {
        for (other, name) in [(b';', "`;`"), (b'\t', "tabs")] {
            if has(other) {
                tally.note(format!(
                    "its columns are taken to be separated by {name}, not by commas"
                ));
                return Ok((Layout { delimiter: other, quotes: quotes.unwrap_or(usual) }, 0));
            }
        }
    }
    let quoted =
        |field: &[u8]| field.len() > 1 && field.starts_with(b"\"") && field.ends_with(b"\"");
    if usual == Quotes::Text && quotes.is_none() && first.split(|&b| b == delimiter).all(quoted) {
        tally.note("its names stand in quotes, so quotes are read as those of CSV".to_owned());
        return Ok((Layout { delimiter, quotes: Quotes::Fields }, 0));
    }
    Ok((Layout { delimiter, quotes: quotes.unwrap_or(usual) }, 0))
}

fn outside_quotes(line: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut quoted = false;
    line.iter().copied().filter(move |&byte| {
        quoted ^= byte == b'"';
        !quoted
    })
}

struct TableReader {
    rows: Rows,
    column: usize,
    /// Columns of the name and of the measured value, if they are asked for.
    labels: Option<[Option<usize>; 2]>,
    num_columns: usize,
    /// The first line has no names: the row that was read of it and not yet given out.
    held: Option<Row>,
}

impl TableReader {
    fn new(mut rows: Rows, options: &ReadOptions<'_>, tally: &Arc<Tally>) -> Result<Self> {
        let num_columns = match rows.next()? {
            Row::Fields(count) => count,
            // The pipeline reports a file without records as empty.
            Row::End => 0,
            Row::TooLong(_) | Row::Quotes => {
                let problem = "the first line is too long, has too many columns or stray quotes";
                let fix = "check that the file is a table";
                return Err(rows.unreadable(1, problem.to_owned(), fix.to_owned()));
            }
        };
        let mut reader = Self { rows, column: 0, labels: None, num_columns, held: None };
        if num_columns > 0 {
            reader.choose(options, tally)?;
        }
        Ok(reader)
    }

    /// Which columns are read, by the first line.
    fn choose(&mut self, options: &ReadOptions<'_>, tally: &Arc<Tally>) -> Result<()> {
        let file = self.rows.shown();
        let mut names: Vec<String> = (0..self.num_columns).map(|i| self.label(i)).collect();
        let asked = options.labels.map(|it| [it.name, it.measured]).unwrap_or_default();
        let asked = [options.column, asked[0], asked[1]];
        let headed = is_header(&file, &names, options.header, &asked)?;
        if !headed {
            names = (1..=self.num_columns).map(|number| number.to_string()).collect();
            self.held = Some(Row::Fields(self.num_columns));
        }
        self.column = choose_column(&file, &names, options.column)?;
        if options.column.is_none() && names.len() > 1 {
            let name = &names[self.column];
            tally.note(format!("of its {} columns `{name}` is read as the text", names.len()));
        }
        let places = |asked| label_columns(&file, &names, self.column, asked);
        self.labels = options.labels.map(places).transpose()?;
        Ok(())
    }

    fn label(&self, i: usize) -> String {
        String::from_utf8_lossy(self.rows.field(i).trim_ascii()).into_owned()
    }

    fn text(&self, count: usize) -> Result<Text, Refusal> {
        if count == self.num_columns {
            return Ok(self.rows.field(self.column).to_vec());
        }
        let problem =
            format!("the row has {count} columns, the first line has {}", self.num_columns);
        Err(Refusal::new("columns", problem).of(self.text_bytes(count)))
    }

    /// Bytes of the text, in a row of so many fields.
    fn text_bytes(&self, count: usize) -> u64 {
        if self.column < count { self.rows.field(self.column).len() as u64 } else { 0 }
    }
}

impl Reader<Text> for TableReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        let row = match self.held.take() {
            Some(row) => row,
            None => self.rows.next()?,
        };
        let content = match row {
            Row::End => return Ok(None),
            Row::TooLong(bytes) => Err(Refusal::too_long(bytes, self.rows.limit())),
            Row::Quotes => {
                let problem = "a field in quotes goes on after its closing quote; a quote inside a \
                               field is written twice";
                Err(Refusal::new("quotes", problem))
            }
            Row::Fields(count) => self.text(count),
        };
        let labels = self.labels.filter(|_| content.is_ok()).map(|[name, measured]| Labels {
            name: name.map(|at| self.label(at)),
            measured: measured.map(|at| self.label(at)),
        });
        Ok(Some(Record::new(self.rows.line(), content).labelled(labels)))
    }
}
