//! Raw files to records: one reader a format, all streaming, none trusting the file.
//!
//! A record that cannot be read is a refusal and reading goes on; what makes the whole file
//! unreadable (a broken gzip stream, a missing column) is an error.

pub(crate) mod extxyz;
mod fasta;
pub(crate) mod jsonl;
pub(crate) mod lines;
pub(crate) mod named_lists;
pub(crate) mod npz;
pub(crate) mod open;
pub(crate) mod parquet;
pub(crate) mod raw_frame;
mod table;
mod text;

use std::sync::Arc;

use crate::error::Result;
use crate::ingest::inputs::Source;
use crate::ingest::rejects::Refusal;
use crate::sequences::ingest::{FormatChoice, SequencesIngest};

pub(crate) use open::Tally;

/// The text of a document as it stands in the file; not yet known to be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its first line (Parquet: its row), from 1.
    pub(crate) line: u64,
    pub(crate) text: std::result::Result<Vec<u8>, Refusal>,
}

/// Yields the records of one file in order.
pub(crate) trait RecordReader: Send {
    fn next_record(&mut self) -> Result<Option<Record>>;
}

/// A file being read, and what was read of it so far.
pub(crate) struct Opened {
    pub(crate) reader: Box<dyn RecordReader>,
    pub(crate) tally: Arc<Tally>,
}

/// Opens a source by its format.
pub(crate) fn open(source: &Source, plan: &SequencesIngest) -> Result<Opened> {
    if let Some(generate) = &plan.generate {
        return Ok(crate::sequences::ingest::generated::open(generate.clone()));
    }
    if source.format == FormatChoice::Parquet {
        return parquet::open(&source.path, plan);
    }
    let (input, tally) = open::open(&source.path)?;
    let lines = lines::Lines::new(input, &source.path, plan.max_record_bytes);
    let reader: Box<dyn RecordReader> = match source.format {
        FormatChoice::Jsonl => Box::new(jsonl::JsonlReader::new(lines, plan.column.as_deref())),
        FormatChoice::Fasta => Box::new(fasta::FastaReader::new(lines)),
        FormatChoice::Csv => Box::new(table::TableReader::new(lines, b',', plan)?),
        FormatChoice::Tsv => Box::new(table::TableReader::new(lines, b'\t', plan)?),
        FormatChoice::Text | FormatChoice::Guess | FormatChoice::Parquet => {
            Box::new(text::TextReader::new(lines, plan.documents))
        }
    };
    Ok(Opened { reader, tally })
}

/// Bytes that are not UTF-8, with the place of the first.
pub(crate) fn not_utf8(error: &std::str::Utf8Error) -> Refusal {
    let offset = error.valid_up_to();
    Refusal::new("not_utf8", format!("invalid UTF-8 at byte {offset} of the record"))
}

/// The column to read: the one asked for, else the only one, else one with a telling name.
fn choose_column(file: &str, names: &[String], asked: Option<&str>) -> Result<usize> {
    const TELLING: [&str; 5] = ["text", "sequence", "seq", "smiles", "content"];
    let place = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let found = match asked {
        Some(asked) => names.iter().position(|name| name == asked),
        None if names.len() == 1 => Some(0),
        None => TELLING.into_iter().find_map(place),
    };
    found.ok_or_else(|| {
        let shown: Vec<&str> = names.iter().take(30).map(String::as_str).collect();
        let problem = match asked {
            Some(asked) => format!("there is no column `{asked}`"),
            None => "it is not clear which column holds the text".to_owned(),
        };
        crate::error::DataError::Input {
            path: file.into(),
            place: String::new(),
            problem,
            fix: format!("set `column` to one of: {}", shown.join(", ")),
        }
    })
}
