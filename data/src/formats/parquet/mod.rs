//! Parquet, read batch by batch: one column of text of which no other is decoded, or structures.

mod batches;
mod strings;
mod structure;

use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::Fields;
use parquet::arrow::ProjectionMask;

use self::batches::Batches;
use self::strings::{Strings, is_text};
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
    ..Format::HOLDS_NOTHING
};

const BATCH_ROWS: usize = 1024;

struct ParquetReader {
    batches: Batches,
    column: Option<Strings>,
    /// Columns of the name and of the measured value, if they are asked for.
    labels: Option<[Option<Label>; 2]>,
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
    let builder = batches::open(path)?;
    let tally = Tally::known(bytes, digest);
    let fields = builder.schema().fields();
    let file = path.display().to_string();
    let text = text_column(&file, fields, options.column)?;
    if options.column.is_none() && fields.len() > 1 {
        tally.note(format!("of its {} columns `{text}` is read as the text", fields.len()));
    }
    let all: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
    let place = |name: &str| all.iter().position(|it| it == name).expect("a name of these");
    let places = |asked| label_columns(&file, &all, place(&text), asked);
    let labels = options.labels.map(places).transpose()?;
    let roots = labels.into_iter().flatten().flatten().chain([place(&text)]);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let labels = labels.map(|both| both.map(|place| place.map(|at| all[at].clone())));
    let reader = ParquetReader {
        batches: Batches::new(path, builder.with_projection(mask), BATCH_ROWS)?,
        column: None,
        labels: None,
        names: (text, labels),
        next: 0,
        row: 0,
        limit: options.max_record_bytes,
    };
    Ok(Opened::new(reader, Arc::new(tally)))
}

/// The column of text: the one asked for, whatever there is beside it, else a telling one.
fn text_column(file: &str, fields: &Fields, asked: Option<&str>) -> Result<String> {
    let strings: Vec<String> =
        fields.iter().filter(|f| is_text(f.data_type())).map(|f| f.name().clone()).collect();
    let other = asked.and_then(|asked| fields.iter().find(|field| field.name() == asked));
    if let Some(field) = other.filter(|field| !is_text(field.data_type())) {
        let fix = if strings.is_empty() {
            "write it as a column of strings; there is none".to_owned()
        } else {
            format!("set `column` to one of: {}", strings.join(", "))
        };
        return Err(DataError::Input {
            path: file.into(),
            place: String::new(),
            problem: format!("column `{}` holds {}, not text", field.name(), field.data_type()),
            fix,
        });
    }
    if strings.is_empty() {
        let all: Vec<String> =
            fields.iter().map(|it| format!("{} ({})", it.name(), it.data_type())).collect();
        return Err(DataError::Input {
            path: file.into(),
            place: String::new(),
            problem: format!("none of its columns holds text: {}", all.join(", ")),
            fix: "write one as a column of strings".to_owned(),
        });
    }
    Ok(strings[choose_column(file, &strings, asked)?].clone())
}

fn broken(path: &Path, place: &str, problem: &str) -> DataError {
    DataError::Input {
        path: path.to_path_buf(),
        place: place.to_owned(),
        problem: format!("not readable as Parquet: {problem}"),
        fix: "check the file, or state its true format".to_owned(),
    }
}

/// A column of which a record keeps a value beside its text.
enum Label {
    Text(Strings),
    Other(ArrayRef),
}

impl Label {
    fn new(column: &ArrayRef) -> Self {
        if is_text(column.data_type()) {
            return Self::Text(Strings::new(column));
        }
        Self::Other(ArrayRef::clone(column))
    }

    fn shown(&self, row: usize) -> Option<String> {
        match self {
            Self::Text(strings) => Some(String::from_utf8_lossy(strings.value(row)?).into_owned()),
            Self::Other(column) => structure::shown(column, row),
        }
    }
}

impl Reader<Text> for ParquetReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        while self.column.as_ref().is_none_or(|column| self.next >= column.len()) {
            let Some(batch) = self.batches.next()? else { return Ok(None) };
            let (text, labels) = &self.names;
            self.column = batch.column_by_name(text).map(Strings::new);
            let column = |name: &Option<String>| {
                name.as_ref().and_then(|name| batch.column_by_name(name)).map(Label::new)
            };
            self.labels = labels.as_ref().map(|both| both.each_ref().map(column));
            self.next = 0;
        }
        let column = self.column.as_ref().expect("the loop filled it");
        let content = match column.value(self.next) {
            None => Err(Refusal::new("null", "the value is null")),
            Some(text) if text.len() as u64 > self.limit => {
                Err(Refusal::too_long(text.len() as u64, self.limit))
            }
            Some(text) => Ok(text.to_vec()),
        };
        let labels = self.labels.as_ref().map(|both| {
            let [name, measured] = both.each_ref().map(|it| it.as_ref()?.shown(self.next));
            Labels { name, measured }
        });
        self.next += 1;
        self.row += 1;
        Ok(Some(Record::new(self.row, content).labelled(labels)))
    }
}
