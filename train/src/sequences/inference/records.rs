//! Sequences of an input file, with their names and measured values.
//!
//! The file is read by the readers of an ingest, and letters that are no residue have the same rules, so
//! that it means the same here as there. Records that cannot be read or used are listed and left out.

use std::borrow::Cow;
use std::path::Path;

use genesis_data::error::DataError;
use genesis_data::formats::{FormatChoice, NamedFile, NamedOptions, NamedText, Quotes, read_named};
use genesis_data::sequences::LetterRules;
use genesis_data::sequences::letters::{LetterCounts, Letters};
use genesis_data::sequences::tokenize::Tokenizer;
use serde::Serialize;

use super::error::InferenceError;
use super::letters::ModelLetters;

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
    /// Tables: whether the first line names the columns.
    pub header: Option<bool>,
    /// Tables: what quotes are.
    pub quotes: Option<Quotes>,
    /// What becomes of letters that are no residue, where it is said; else what the model's data had.
    pub letters: LetterRules,
}

/// What a file of sequences holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// The records that can be read, in order.
    pub read: Vec<Record>,
    /// Those that cannot.
    pub refused: Vec<Refused>,
    /// What was taken for what, and what was left out of texts.
    pub notes: Vec<String>,
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

/// The records of `path` in order, for a model with `tokenizer` whose data had the rules `of_model`, and those
/// that cannot be read.
///
/// # Errors
/// Not readable, no record at all, a column that is not there, a rule that letters cannot have, letters whose
/// rule is not known.
pub fn read_records(
    path: &Path,
    options: &RecordOptions,
    tokenizer: &Tokenizer,
    of_model: &ModelLetters,
) -> Result<Records, InferenceError> {
    let refused = |error: DataError| InferenceError::input(path, error.to_string());
    let named_options = NamedOptions {
        format: options.format,
        column: options.column.as_deref(),
        name: options.id.as_deref(),
        measured: options.measured.as_deref(),
        header: options.header,
        quotes: options.quotes,
    };
    let letters = Letters::of(&of_model.over(&options.letters), tokenizer).map_err(refused)?;
    let NamedFile { format, records, notes } = read_named(path, &named_options).map_err(refused)?;
    if records.is_empty() {
        return Err(InferenceError::input(path, "it holds no sequence"));
    }
    let headed = matches!(format.name, "fasta" | "fastq");
    let (mut all, mut met) = (Records { notes, ..Records::default() }, LetterCounts::default());
    for (index, (line, record)) in records.into_iter().enumerate() {
        let record = match record {
            Ok(text) => rule(named(text, line, headed.then_some(index)), letters, &mut met),
            Err(problem) => Err(Refused { line, id: line.to_string(), problem }),
        };
        match record {
            Ok(record) => all.read.push(record),
            Err(record) => all.refused.push(record),
        }
    }
    if let Some(letters) = letters {
        if let Some(doubt) = of_model.doubt(&options.letters, &met) {
            return Err(InferenceError::input(path, doubt));
        }
        if letters.matter(&met) || !of_model.rules.is_default() {
            all.notes.push(letters.told(&met));
        }
    }
    none_left(path, all.read.is_empty(), &all.refused)?;
    Ok(all)
}

/// The record with its letters by the rules. A text with digits is a list of variants, no sequence.
fn rule(
    mut record: Record,
    letters: Option<Letters>,
    met: &mut LetterCounts,
) -> Result<Record, Refused> {
    let is_sequence = !record.sequence.bytes().any(|byte| byte.is_ascii_digit());
    let Some(letters) = letters.filter(|_| is_sequence) else { return Ok(record) };
    let ruled = match letters.rule(&record.sequence) {
        Ok(ruled) => ruled,
        Err(problem) => return Err(record.refused(problem.to_string())),
    };
    *met += ruled.met;
    let changed = match ruled.text {
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    };
    record.sequence = changed.unwrap_or(record.sequence);
    Ok(record)
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
    use genesis_data::sequences::LetterRule;

    fn read(name: &str, bytes: &[u8]) -> Result<(Vec<Record>, Vec<Refused>), InferenceError> {
        let all = read_for(&Tokenizer::amino_acid(), name, bytes, &RecordOptions::default())?;
        Ok((all.read, all.refused))
    }

    #[test]
    fn gaps_are_tokens_for_a_model_that_learned_them_unless_it_is_said_otherwise() {
        let tokenizer = Tokenizer::amino_acid();
        let said = |gaps| LetterRules { gaps, ..LetterRules::default() };
        let model = ModelLetters { rules: said(Some(LetterRule::Keep)), unread: None };
        let read = |model: &ModelLetters, gaps| {
            let options = RecordOptions { letters: said(gaps), ..RecordOptions::default() };
            read_of(&tokenizer, ("a.fa", b">a\nMK-T\n"), &options, model)
        };
        let all = read(&model, None).unwrap();
        assert_eq!(all.read[0].sequence, "MK-T");
        assert!(all.notes[0].contains("gaps kept (1 met)"), "{:?}", all.notes);
        assert_eq!(read(&model, Some(LetterRule::Strip)).unwrap().read[0].sequence, "MKT");
        let lost = ModelLetters { unread: Some("gone".into()), ..ModelLetters::default() };
        let error = read(&lost, None).unwrap_err().to_string();
        assert!(error.contains("1 gaps") && error.contains("say --gaps"), "{error}");
        assert_eq!(read(&lost, Some(LetterRule::Keep)).unwrap().read[0].sequence, "MK-T");
    }

    fn read_for(
        tokenizer: &Tokenizer,
        name: &str,
        bytes: &[u8],
        options: &RecordOptions,
    ) -> Result<Records, InferenceError> {
        read_of(tokenizer, (name, bytes), options, &ModelLetters::default())
    }

    fn read_of(
        tokenizer: &Tokenizer,
        (name, bytes): (&str, &[u8]),
        options: &RecordOptions,
        model: &ModelLetters,
    ) -> Result<Records, InferenceError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read_records(&path, options, tokenizer, model)
    }

    #[test]
    fn rows_of_an_alignment_are_their_sequences_and_the_rules_are_told() {
        let aligned = b">a\nMK-t.Y\n>b\nM*K\n>c\nMKV*\n";
        let tokenizer = Tokenizer::amino_acid();
        let all = read_for(&tokenizer, "a.a3m", aligned, &RecordOptions::default()).unwrap();
        let texts: Vec<&str> = all.read.iter().map(|record| record.sequence.as_str()).collect();
        assert_eq!(texts, ["MKtY", "MKV*"]);
        assert!(all.refused[0].problem.contains("stop"), "{:?}", all.refused);
        assert!(all.notes[0].contains("gaps left out (2 met)"), "{:?}", all.notes);
        let variants = read_for(&tokenizer, "a.txt", b"A4-\n", &RecordOptions::default()).unwrap();
        assert_eq!(variants.read[0].sequence, "A4-", "not a sequence");
        let text = read_for(&Tokenizer::byte(), "a.txt", b"a - b\n", &RecordOptions::default());
        assert_eq!(text.unwrap().read[0].sequence, "a - b");
    }

    #[test]
    fn names_of_molecules_are_their_ids_and_tables_without_a_header_are_read_whole() {
        let byte = Tokenizer::byte();
        let list = read_for(&byte, "a.smi", b"CCO\tmol 1\nCC\n", &RecordOptions::default());
        let ids: Vec<String> = list.unwrap().read.into_iter().map(|record| record.id).collect();
        assert_eq!(ids, ["mol 1", "2"]);
        let options = RecordOptions { header: Some(false), ..RecordOptions::default() };
        assert_eq!(read_for(&byte, "a.csv", b"CCO\nCC\n", &options).unwrap().read.len(), 2);
        assert!(read_for(&byte, "a.csv", b"CCO\nCC\n", &RecordOptions::default()).is_err());
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
