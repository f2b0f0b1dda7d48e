//! Sequences of an input file: FASTA or one sequence a line, also gzipped.
//!
//! The kind is told from the first character: `>` is FASTA. Only for inputs of `embed` and
//! `score`, which fit in memory; datasets are ingested by `genesis_data`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::error::InferenceError;

/// Longest line that is read; one that is longer is a wrong file.
const LONGEST_LINE: u64 = 64 << 20;

/// One sequence and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// FASTA: the header up to the first blank, without `>`. Lines: the line number, from 1.
    pub id: String,
    /// FASTA: the whole header. Lines: the line number.
    pub header: String,
    /// The sequence; FASTA lines are joined.
    pub sequence: String,
}

impl Record {
    /// The number after the last `|` of the header, if there is one: a measured value.
    pub fn measured(&self) -> Option<f64> {
        let value: f64 = self.header.rsplit_once('|')?.1.trim().parse().ok()?;
        value.is_finite().then_some(value)
    }
}

/// All records of `path`, in order.
///
/// # Errors
/// Not readable, not UTF-8, a FASTA header without sequence, no record at all; with the line.
pub fn read_records(path: &Path) -> Result<Vec<Record>, InferenceError> {
    let mut records: Vec<Record> = Vec::new();
    let mut fasta = false;
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_line(path)? {
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        if records.is_empty() {
            fasta = text.starts_with('>');
        }
        match text.strip_prefix('>').filter(|_| fasta) {
            Some(header) => {
                check_complete(path, records.last(), number)?;
                records.push(fasta_record(header, records.len()));
            }
            None if fasta => {
                let record = records.last_mut().expect("the first line was a header");
                record.sequence.extend(text.chars().filter(|c| !c.is_whitespace()));
            }
            None => {
                let id = number.to_string();
                records.push(Record { header: id.clone(), id, sequence: text.to_owned() });
            }
        }
    }
    check_complete(path, records.last(), lines.number + 1)?;
    if records.is_empty() {
        return Err(InferenceError::input(path, "it holds no sequence"));
    }
    Ok(records)
}

fn fasta_record(header: &str, index: usize) -> Record {
    let header = header.trim().to_owned();
    let id = match header.split_whitespace().next() {
        Some(id) => id.to_owned(),
        None => (index + 1).to_string(),
    };
    Record { id, header, sequence: String::new() }
}

fn check_complete(path: &Path, last: Option<&Record>, number: usize) -> Result<(), InferenceError> {
    match last {
        Some(record) if record.sequence.is_empty() => {
            let problem =
                format!("line {}: header `>{}` has no sequence", number - 1, record.header);
            Err(InferenceError::input(path, problem))
        }
        _ => Ok(()),
    }
}

struct Lines {
    reader: Box<dyn BufRead>,
    number: usize,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, InferenceError> {
        let file = File::open(path).map_err(InferenceError::io(path, "open"))?;
        let mut reader = BufReader::new(file);
        let start = reader.fill_buf().map_err(InferenceError::io(path, "read"))?;
        let gzipped = start.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead> = if gzipped {
            Box::new(BufReader::new(MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        Ok(Self { reader, number: 0 })
    }

    fn next_line(&mut self, path: &Path) -> Result<Option<(usize, String)>, InferenceError> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes);
        let length = read.map_err(InferenceError::io(path, "read"))?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        let number = self.number;
        if length as u64 > LONGEST_LINE {
            let problem = format!("line {number} is longer than {LONGEST_LINE} bytes");
            return Err(InferenceError::input(path, problem));
        }
        let line = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let problem =
                format!("line {number}: byte {at} is not UTF-8; is it a text file at all?");
            InferenceError::input(path, problem)
        })?;
        Ok(Some((number, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Record>, InferenceError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, bytes).unwrap();
        read_records(&path)
    }

    #[test]
    fn fasta_lines_are_joined_and_headers_split() {
        let records = read(b">a|b|1.5 some text\nMK\nLV\n\n>c\r\nAA\r\n").unwrap();
        assert_eq!(records[0].id, "a|b|1.5");
        assert_eq!(records[0].sequence, "MKLV");
        assert_eq!(records[1].sequence, "AA");
        assert_eq!(records[0].measured(), None, "`1.5 some text` is no number");
    }

    #[test]
    fn a_number_after_the_last_bar_is_a_measured_value() {
        let records = read(b">0|beta-lactamase_P20P|1.581033423\nMK\n").unwrap();
        assert_eq!(records[0].measured(), Some(1.581_033_423));
    }

    #[test]
    fn other_files_hold_one_sequence_a_line() {
        let records = read(b"CCO\n\nc1ccccc1\n").unwrap();
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["1", "3"]);
        assert_eq!(records[1].sequence, "c1ccccc1");
    }

    #[test]
    fn gzipped_input_reads_the_same() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b">a\nMK\n").unwrap();
        assert_eq!(read(&encoder.finish().unwrap()).unwrap(), read(b">a\nMK\n").unwrap());
    }

    #[test]
    fn broken_input_is_rejected_with_its_line() {
        for (bytes, expected) in [
            (&b""[..], "holds no sequence"),
            (b">a\n>b\nMK\n", "line 1: header `>a` has no sequence"),
            (b">a\nMK\n>b\n", "line 3: header `>b` has no sequence"),
            (b"MK\n\xff\xfe\n", "line 2: byte 0 is not UTF-8"),
        ] {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
