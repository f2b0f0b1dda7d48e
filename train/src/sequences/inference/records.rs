//! Sequences of an input file, with their names and measured values.
//!
//! The file is read by the readers of an ingest, so that it means the same here as there. Records that
//! cannot be read or used are listed and left out.

use std::path::Path;

use genesis_data::formats::{FormatChoice, NamedFile, NamedOptions, NamedText, read_named};
use serde::Serialize;

use super::error::InferenceError;

/// How a file of sequences is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordOptions {
    /// Its format; that of its name by default.
    pub format: FormatChoice,
    /// Tables: the column that holds the sequence.
    pub column: Option<String>,
    /// Tables: the column of names.
    pub id: Option<String>,
    /// Tables: the column of measured values.
    pub measured: Option<String>,
}

/// One sequence and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// FASTA and FASTQ: the header up to the first blank; tables: the name; else the line, from 1.
    pub id: String,
    /// The whole header or name; else the line.
    pub header: String,
    /// The sequence; FASTA lines are joined.
    pub sequence: String,
    /// A measured value, as written.
    pub measured: Option<String>,
    /// Its first line in the file (Parquet: its row), from 1.
    pub line: u64,
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its first line in the file (Parquet: its row), from 1.
    pub line: u64,
    /// Its name; the line where it has none.
    pub id: String,
    /// What is wrong with it.
    pub problem: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} (`{}`): {}", self.line, self.id, self.problem)
    }
}

impl Record {
    /// The measured value: that of its column, else the number after the last `|` of the header.
    pub fn measured(&self) -> Option<f64> {
        let written = match &self.measured {
            Some(written) => written,
            None => self.header.rsplit_once('|')?.1,
        };
        written.trim().parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The same record as one that was left out.
    pub(crate) fn refused(&self, problem: String) -> Refused {
        Refused { line: self.line, id: self.id.clone(), problem }
    }
}

/// The records of `path` in order, and those that cannot be read.
///
/// # Errors
/// Not readable, no record at all, a column that is not there.
pub fn read_records(
    path: &Path,
    options: &RecordOptions,
) -> Result<(Vec<Record>, Vec<Refused>), InferenceError> {
    let RecordOptions { format, column, id, measured } = options;
    let options = NamedOptions {
        format: *format,
        column: column.as_deref(),
        name: id.as_deref(),
        measured: measured.as_deref(),
    };
    let NamedFile { format, records } = read_named(path, &options)
        .map_err(|error| InferenceError::input(path, error.to_string()))?;
    if records.is_empty() {
        return Err(InferenceError::input(path, "it holds no sequence"));
    }
    let headed = matches!(format.name, "fasta" | "fastq");
    let (mut read, mut refused) = (Vec::new(), Vec::new());
    for (index, (line, record)) in records.into_iter().enumerate() {
        match record {
            Ok(text) => read.push(named(text, line, headed.then_some(index))),
            Err(problem) => refused.push(Refused { line, id: line.to_string(), problem }),
        }
    }
    none_left(path, read.is_empty(), &refused)?;
    Ok((read, refused))
}

/// Refuses to go on without any record, with the reasons of the first.
pub(crate) fn none_left(
    path: &Path,
    none: bool,
    refused: &[Refused],
) -> Result<(), InferenceError> {
    if !none {
        return Ok(());
    }
    let first: Vec<String> = refused.iter().take(3).map(|it| format!("\n  {it}")).collect();
    let problem = format!("none of its {} records can be used:{}", refused.len(), first.concat());
    Err(InferenceError::input(path, problem))
}

/// `headed`: the record's number among those with a header line, from 0.
fn named(text: NamedText, line: u64, headed: Option<usize>) -> Record {
    let NamedText { name, measured, text } = text;
    let (id, header) = match (name, headed) {
        (Some(header), Some(index)) => {
            let first = header.split_whitespace().next();
            (first.map_or_else(|| (index + 1).to_string(), str::to_owned), header)
        }
        (Some(name), None) => (name.clone(), name),
        (None, _) => (line.to_string(), line.to_string()),
    };
    Record { id, header, sequence: text, measured, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Result<(Vec<Record>, Vec<Refused>), InferenceError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read_records(&path, &RecordOptions::default())
    }

    #[test]
    fn fasta_lines_are_joined_and_headers_split() {
        let (records, _) = read("a.fasta", b">a|b|1.5 some text\nMK\nLV\n\n>c\r\nAA\r\n").unwrap();
        assert_eq!(records[0].id, "a|b|1.5");
        assert_eq!(records[0].sequence, "MKLV");
        assert_eq!(records[1].sequence, "AA");
        assert_eq!(records[0].measured(), None, "`1.5 some text` is no number");
    }

    #[test]
    fn measured_values_are_those_of_a_header_or_of_a_column() {
        let (records, _) = read("a.fa", b">0|beta-lactamase_P20P|1.581033423\nMK\n").unwrap();
        assert_eq!(records[0].measured(), Some(1.581_033_423));
        let (records, _) = read("a.csv", b"id,sequence,measured\nv|9,MK,0.5\nw,ML,\n").unwrap();
        assert_eq!((records[0].measured(), records[1].measured()), (Some(0.5), None));
        assert_eq!(records[0].id, "v|9");
    }

    #[test]
    fn gzipped_input_reads_the_same() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b">a\nMK\n").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(read("a.fa.gz", &packed).unwrap(), read("a.fa", b">a\nMK\n").unwrap());
    }

    #[test]
    fn what_cannot_be_read_is_listed_with_its_line_and_the_rest_is_read() {
        let (records, refused) = read("a.fa", b">a\n>b\nMK\n").unwrap();
        assert_eq!((records.len(), refused[0].line), (1, 1));
        assert!(refused[0].problem.contains("no sequence"), "{refused:?}");
        let (records, refused) = read("a.txt", b"MK\n\xff\xfe\n").unwrap();
        assert_eq!((records.len(), refused[0].line), (1, 2));
        assert!(refused[0].problem.contains("UTF-8"), "{refused:?}");
        for (bytes, expected) in [(&b""[..], "holds no sequence"), (b">a\n", "none of its 1")] {
            let error = read("a.fa", bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
