//! Sequences of a file with their names: what an ingest reads, for those who use a model.
//!
//! One reader for both, so that a file means the same to them. Only for files that fit in memory. The
//! format is that of the extension; a file of plain text, or of no known extension, that begins with `>` is
//! FASTA, and else holds one sequence a line.

use std::path::Path;

use super::{
    DocumentRule, Format, FormatChoice, LabelColumns, Labels, Quotes, ReadOptions, fasta,
    format_of, not_utf8, open, text,
};
use crate::error::{DataError, Result};

/// A longer record is refused, as by an ingest with default options.
const LONGEST_RECORD_BYTES: u64 = 64 << 20;

/// How a file of sequences is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NamedOptions<'p> {
    /// Its format.
    pub format: FormatChoice,
    /// The column, or field, that is the sequence.
    pub column: Option<&'p str>,
    /// The column of names; else `id`, `name`, `accession` or `header`, where there is one.
    pub name: Option<&'p str>,
    /// The column of measured values; else `measured`, where there is one.
    pub measured: Option<&'p str>,
    /// Whether the first line of a table names its columns; else it must tell by itself.
    pub header: Option<bool>,
    /// What quotes are in a table; else as its format has them.
    pub quotes: Option<Quotes>,
}

/// A sequence and what its file says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedText {
    /// Header or name; `None` where it has none.
    pub name: Option<String>,
    /// A measured value, as written.
    pub measured: Option<String>,
    /// The sequence.
    pub text: String,
}

/// The records of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedFile {
    /// The format that it was read as.
    pub format: &'static Format,
    /// First line (Parquet: row, from 1) of each record, and the record or what is wrong with it.
    pub records: Vec<(u64, std::result::Result<NamedText, String>)>,
    /// What was taken for what, where that was not said.
    pub notes: Vec<String>,
}

/// Reads all sequences of `path`, in order.
///
/// # Errors
/// A file that cannot be read or whose format is not known, a column that is not there, an option that the
/// format does not take. Records that cannot be read are among the records.
pub fn read_named(path: &Path, options: &NamedOptions<'_>) -> Result<NamedFile> {
    let format = format(path, options.format)?;
    for (option, key, given) in [
        ("column", "column", options.column.is_some()),
        ("id", "column", options.name.is_some()),
        ("measured", "column", options.measured.is_some()),
        ("header", "header", options.header.is_some()),
        ("quotes", "quotes", options.quotes.is_some()),
    ] {
        if given && !format.takes.contains(&key) {
            let problem = format!("it is given, but the file is read as {}", format.name);
            return Err(DataError::invalid(option, problem, "leave it out: it is for tables"));
        }
    }
    let read = ReadOptions {
        documents: DocumentRule::Line,
        column: options.column,
        labels: Some(LabelColumns { name: options.name, measured: options.measured }),
        header: options.header,
        quotes: options.quotes,
        ..ReadOptions::new(LONGEST_RECORD_BYTES)
    };
    let mut opened = format.documents.expect("formats of documents alone are chosen")(path, &read)?;
    let mut records = Vec::new();
    while let Some(record) = opened.reader.next_record()? {
        let Labels { name, measured } = record.labels.map(|it| *it).unwrap_or_default();
        let text = record.content.map_err(|refusal| refusal.detail).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|e| not_utf8(&e.utf8_error()).detail)
        });
        records.push((record.line, text.map(|text| NamedText { name, measured, text })));
    }
    let notes = opened.tally.notes();
    Ok(NamedFile { format, records, notes })
}

fn format(path: &Path, choice: FormatChoice) -> Result<&'static Format> {
    let wanted = ("sequences", Format::holds_documents as fn(&Format) -> bool);
    let named = format_of(path, choice, wanted);
    match named {
        Ok(format) if choice != FormatChoice::Guess || *format != text::FORMAT => Ok(format),
        Err(error) if choice != FormatChoice::Guess => Err(error),
        _ => Ok(if begins_as_fasta(path)? { &fasta::FORMAT } else { &text::FORMAT }),
    }
}

fn begins_as_fasta(path: &Path) -> Result<bool> {
    let (mut input, _) = open::open(path)?;
    let ready = input.fill_buf().map_err(DataError::io("read", path))?;
    Ok(ready.trim_ascii_start().first() == Some(&b'>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8], options: &NamedOptions<'_>) -> Result<NamedFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read_named(&path, options)
    }

    /// Names and sequences, `!` where one was refused.
    fn shown(name: &str, bytes: &[u8]) -> Vec<String> {
        let file = read(name, bytes, &NamedOptions::default()).unwrap();
        let show = |(line, record): (u64, std::result::Result<NamedText, String>)| match record {
            Ok(it) => format!("{} {}", it.name.unwrap_or_else(|| line.to_string()), it.text),
            Err(_) => format!("{line} !"),
        };
        file.records.into_iter().map(show).collect()
    }

    #[test]
    fn every_format_of_an_ingest_gives_names_and_sequences() {
        let mark = b"\xEF\xBB\xBF>a b\nMK\n;comment\nL V\n\n>c\r\nAA\r\n>d\n";
        assert_eq!(shown("x.fasta", mark), ["a b MKLV", "c AA", "8 !"]);
        assert_eq!(shown("x.fq", b"@r1 x\nACGT\n+\n!!!!\n"), ["r1 x ACGT"]);
        assert_eq!(shown("x.csv", b"smiles,id\nCCO,m1\n\"C,C\",m2\n"), ["m1 CCO", "m2 C,C"]);
        assert_eq!(shown("x.tsv", b"name\tseq\nm1\tMK\n"), ["m1 MK"]);
        let lines = br#"{"text":"MK","id":7,"measured":1.5}"#;
        assert_eq!(shown("x.jsonl", lines), ["7 MK"]);
        assert_eq!(shown("x.txt", b"CCO\n\nc1ccccc1\n"), ["1 CCO", "3 c1ccccc1"]);
        assert_eq!(shown("x.unknown", b"\n>a\nMK\n"), ["a MK"]);
        assert_eq!(shown("x.txt", b""), Vec::<String>::new());
    }

    #[test]
    fn columns_are_those_that_are_asked_for_and_absent_ones_are_refused_with_those_there_are() {
        let table = b"mutant,name,fit\nA4G,v1,0.5\n";
        let options = NamedOptions {
            column: Some("mutant"),
            measured: Some("fit"),
            ..NamedOptions::default()
        };
        let file = read("x.csv", table, &options).unwrap();
        let record = file.records[0].1.clone().unwrap();
        assert_eq!((record.name.as_deref(), record.measured.as_deref()), (Some("v1"), Some("0.5")));
        let absent = NamedOptions { name: Some("gene"), ..options };
        let error = read("x.csv", table, &absent).unwrap_err().to_string();
        assert!(error.contains("gene") && error.contains("mutant"), "{error}");
        let error = read("x.fasta", b">a\nMK\n", &options).unwrap_err().to_string();
        assert!(error.contains("column") && error.contains("fasta"), "{error}");
    }
}
