//! File formats: what a raw file holds, record by record.
//!
//! A format is one [`Format`]: its name, the extensions by which it is known, the options it takes,
//! and how it is opened, for documents, for structures, or for both. It has a file here and a line
//! in [`FORMATS`]. Readers stream and trust nothing: a record that cannot be read is a [`Refusal`]
//! and reading goes on; what makes the whole file unreadable (a broken gzip stream, a missing
//! column) is an error.
//!
//! Shared by formats: `open` (digests, `gzip`), `lines`, `delimited` (rows), `growing` (a record below
//! its limit), `table_columns`, `named_lists` and `raw_frame` (a structure, units and meaning still open).

mod delimited;
mod extxyz;
mod fasta;
mod fastq;
mod growing;
mod gzip;
mod jsonl;
mod lines;
mod named;
mod named_lists;
mod npz;
mod open;
mod parquet;
pub mod raw_frame;
mod refusal;
mod smi;
mod table;
mod table_columns;
mod text;

use std::path::Path;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::json;

use crate::error::{DataError, Result};
use lines::Lines;
pub use named::{NamedFile, NamedOptions, NamedText, read_named};
pub use named_lists::ATOM_COLUMNS;
pub(crate) use open::Tally;
use raw_frame::RawFrame;
pub(crate) use refusal::Refusal;
pub use table::Quotes;
pub use text::{DEFAULT_PIECE_BYTES, DocumentRule};

/// Every format. A name may be guessed from an extension; the first that claims it wins.
pub static FORMATS: &[&Format] = &[
    &text::FORMAT,
    &jsonl::FORMAT,
    &fasta::FORMAT,
    &fastq::FORMAT,
    &table::CSV,
    &table::TSV,
    &smi::FORMAT,
    &parquet::FORMAT,
    &extxyz::FORMAT,
    &npz::FORMAT,
];

/// A file format. Others may hold other content, which one that has none of it does not name.
#[derive(Debug)]
#[non_exhaustive]
pub struct Format {
    /// In a config, on the command line and in a card.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Extensions of its files, lower-case, without `.gz`.
    pub extensions: &'static [&'static str],
    /// Options of a plan that it takes and others may not.
    pub takes: &'static [&'static str],
    /// How its documents are read; `None` if it has none.
    pub(crate) documents: Option<Opener<Text>>,
    /// How its structures of atoms are read.
    pub(crate) structures: Option<Opener<Unparsed>>,
}

impl Format {
    /// A format that holds nothing: the rest of one that says what it holds.
    const HOLDS_NOTHING: Self = Self {
        name: "",
        about: "",
        extensions: &[],
        takes: &[],
        documents: None,
        structures: None,
    };

    /// Whether its files hold documents of text.
    pub fn holds_documents(&self) -> bool {
        self.documents.is_some()
    }

    /// Whether its files hold structures of atoms.
    pub fn holds_structures(&self) -> bool {
        self.structures.is_some()
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

/// Opens a file of one format.
pub(crate) type Opener<T> = fn(&Path, &ReadOptions<'_>) -> Result<Opened<T>>;

/// What readers are told; which of it shapes a format is in [`Format::takes`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadOptions<'p> {
    /// Whether the first line of a table names its columns; `None`: it must tell by itself.
    pub(crate) header: Option<bool>,
    /// What quotes are in a table; `None`: as its format has them.
    pub(crate) quotes: Option<Quotes>,
    /// What becomes of a FASTA record beyond the limit.
    pub(crate) long: LongRecords,
    /// What a document of plain text is.
    pub(crate) documents: DocumentRule,
    /// The column, or field, that is the text.
    pub(crate) column: Option<&'p str>,
    /// A longer record is refused without being kept.
    pub(crate) max_record_bytes: u64,
    /// What else of a record is kept; nothing for an ingest.
    pub(crate) labels: Option<LabelColumns<'p>>,
}

impl ReadOptions<'_> {
    /// Records up to `max_record_bytes`, everything else as a format has it.
    pub(crate) fn new(max_record_bytes: u64) -> Self {
        Self {
            header: None,
            quotes: None,
            long: LongRecords::Reject,
            documents: DocumentRule::default(),
            column: None,
            max_record_bytes,
            labels: None,
        }
    }
}

/// What becomes of a record that is longer than `max_record_bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LongRecords {
    /// Pieces of at most that length, each a document; only of FASTA.
    Cut,
    /// It is rejected.
    Reject,
}

/// Columns of names and measured values, where records have columns.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LabelColumns<'p> {
    /// Of names; else one with a telling name, if there is one.
    pub(crate) name: Option<&'p str>,
    /// Of measured values; else `measured`, if there is one.
    pub(crate) measured: Option<&'p str>,
}

/// What a file says of a record beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Its header line, or its name.
    pub(crate) name: Option<String>,
    /// A measured value, as written.
    pub(crate) measured: Option<String>,
}

/// What a record holds before it is understood.
pub(crate) trait Content: Send {
    /// Bytes that it takes, for cutting pieces and for the limit of a record.
    fn bytes(&self) -> usize;
}

/// The text of a document as it stands in the file; not yet known to be UTF-8.
pub(crate) type Text = Vec<u8>;

impl Content for Text {
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// A structure whose text is taken apart later, in parallel.
pub(crate) struct Unparsed {
    bytes: usize,
    parse: Box<dyn FnOnce() -> std::result::Result<RawFrame, Refusal> + Send>,
}

impl Unparsed {
    fn new<F>(bytes: usize, parse: F) -> Self
    where
        F: FnOnce() -> std::result::Result<RawFrame, Refusal> + Send + 'static,
    {
        Self { bytes, parse: Box::new(parse) }
    }

    /// Of a format that gives numbers, refused when they take more than `limit` bytes.
    pub(crate) fn of_frame(frame: RawFrame, limit: u64) -> std::result::Result<Self, Refusal> {
        let bytes = frame.bytes();
        if bytes as u64 > limit {
            return Err(Refusal::too_long(bytes as u64, limit));
        }
        Ok(Self::new(bytes, || Ok(frame)))
    }

    /// Takes it apart.
    pub(crate) fn parse(self) -> std::result::Result<RawFrame, Refusal> {
        (self.parse)()
    }
}

impl Content for Unparsed {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What of a record lies outside the piece at hand; nothing of one that was not cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// A piece before it.
    pub(crate) before: bool,
    /// A piece behind it.
    pub(crate) after: bool,
}

/// One record of a file, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<T> {
    /// Its first line (binary formats: its row), from 1.
    pub(crate) line: u64,
    /// What it holds, or why it cannot be read.
    pub(crate) content: std::result::Result<T, Refusal>,
    /// What was asked for beside it.
    pub(crate) labels: Option<Box<Labels>>,
    pub(crate) cut: Cut,
}

impl<T> Record<T> {
    pub(crate) fn new(line: u64, content: std::result::Result<T, Refusal>) -> Self {
        Self { line, content, labels: None, cut: Cut::default() }
    }

    /// The same record with what else the file says.
    fn labelled(self, labels: Option<Labels>) -> Self {
        Self { labels: labels.map(Box::new), ..self }
    }
}

/// Yields the records of one file in order.
pub(crate) trait Reader<T>: Send {
    fn next_record(&mut self) -> Result<Option<Record<T>>>;
}

/// A file being read, and what was read of it so far.
pub(crate) struct Opened<T> {
    pub(crate) reader: Box<dyn Reader<T>>,
    pub(crate) tally: Arc<Tally>,
}

impl<T> Opened<T> {
    fn new(reader: impl Reader<T> + 'static, tally: Arc<Tally>) -> Self {
        Self { reader: Box::new(reader), tally }
    }
}

/// The lines of a text file, unpacked.
fn open_lines(path: &Path, options: &ReadOptions<'_>) -> Result<(Lines, Arc<Tally>)> {
    let (input, tally) = open::open(path)?;
    Ok((Lines::new(input, path, options.max_record_bytes), tally))
}

/// How files are read: each by the extension of its name, or all as one format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FormatChoice {
    /// By the extension of its name.
    #[default]
    Guess,
    /// As this one.
    Is(&'static Format),
}

/// The choices of a plan for files that hold what is wanted, as its schema shows them.
pub(crate) fn schema((_, holds): Wanted) -> Schema {
    let guess = (GUESS, "By the extension of its name");
    let formats = FORMATS.iter().filter(|format| holds(format));
    let choices = [guess].into_iter().chain(formats.map(|format| (format.name, format.about)));
    let choices: Vec<_> = choices
        .map(|(name, about)| json!({ "type": "string", "const": name, "description": about }))
        .collect();
    json_schema!({ "oneOf": choices })
}

impl FormatChoice {
    /// The choice of this name: `guess` or that of a format.
    pub fn named(name: &str) -> Option<Self> {
        if name == GUESS {
            return Some(Self::Guess);
        }
        FORMATS.iter().find(|format| format.name == name).map(|format| Self::Is(format))
    }
}

const GUESS: &str = "guess";

impl Serialize for FormatChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Guess => GUESS,
            Self::Is(format) => format.name,
        })
    }
}

impl<'de> Deserialize<'de> for FormatChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        static NAMES: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
            [GUESS].into_iter().chain(FORMATS.iter().map(|format| format.name)).collect()
        });
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| de::Error::unknown_variant(&name, &NAMES))
    }
}

/// What files must hold: its name, and whether a format has it.
pub(crate) type Wanted = (&'static str, fn(&Format) -> bool);

/// The format of the file at `path` among those that hold what is wanted: the one chosen, else the
/// one of its extension.
pub(crate) fn format_of(
    path: &Path,
    choice: FormatChoice,
    (what, holds): Wanted,
) -> Result<&'static Format> {
    let names = || {
        let names = FORMATS.iter().filter(|format| holds(format)).map(|format| format.name);
        let names: Vec<&str> = names.collect();
        let (last, others) = names.split_last().expect("every kind has formats");
        format!("{} or {last}", others.join(", "))
    };
    if let FormatChoice::Is(format) = choice {
        if holds(format) {
            return Ok(format);
        }
        let problem = format!("{} files hold no {what}", format.name);
        return Err(DataError::invalid("format", problem, format!("choose one of {}", names())));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let packed = [".gz", ".bgz", ".zst", ".xz", ".bz2", ".lz4", ".zip"];
    let name = packed.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
    let known = |format: &&&Format| holds(format) && format.extensions.contains(&&*extension);
    FORMATS.iter().find(known).copied().ok_or_else(|| {
        DataError::invalid(
            path.display().to_string(),
            format!("no format can be guessed from the extension `{extension}`"),
            format!("state the format: {}", names()),
        )
    })
}

/// Bytes that are not UTF-8, with the place of the first.
pub(crate) fn not_utf8(error: &std::str::Utf8Error) -> Refusal {
    let offset = error.valid_up_to();
    Refusal::new("not_utf8", format!("invalid UTF-8 at byte {offset} of the record"))
}
