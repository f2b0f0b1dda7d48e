//! How a file of sequences is read, and what was left out of it.

use genesis_data::formats::{FORMATS, FormatChoice, Quotes};
use genesis_data::sequences::{LetterRule, LetterRules};
use genesis_train::sequences::inference::{RecordOptions, Refused};

use serde::de::DeserializeOwned;

use crate::console;

/// How a file of sequences is read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RecordArgs {
    /// Format of the input; by default what the extension of its name says, else FASTA if it begins with `>`, or
    /// one sequence a line
    #[arg(long, value_parser = format)]
    format: Option<FormatChoice>,
    /// Column of CSV, TSV and Parquet, or field of JSONL, that holds the sequences [default: a telling one]
    #[arg(long, visible_alias = "field", value_name = "NAME")]
    column: Option<String>,
    /// Column or field of names [default: id, name, accession or header]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// Whether the first line of a table names the columns [default: by usual names in it; else it is
    /// asked for]
    #[arg(long, value_name = "BOOL")]
    header: Option<bool>,
    /// What quotes are in a table [default: they enclose fields in CSV, and are text in TSV]
    #[arg(long, value_parser = named::<Quotes>("fields, text"))]
    quotes: Option<Quotes>,
    /// Amino acids, nucleotides: what becomes of gaps `-` and `.`: strip, keep, reject [default, as of the
    /// next three: what the run did with its data; else strip]
    #[arg(long, value_name = "RULE", value_parser = named::<LetterRule>("keep, strip, reject"))]
    gaps: Option<LetterRule>,
    /// What becomes of lower case, insertions in A3M: keep, strip, reject [default: keep, as upper case]
    #[arg(long, value_name = "RULE", value_parser = named::<LetterRule>("keep, strip, reject"))]
    insertions: Option<LetterRule>,
    /// What becomes of `*` inside a protein: reject, strip, keep (as X) [default: reject]
    #[arg(long, value_name = "RULE", value_parser = named::<LetterRule>("keep, strip, reject"))]
    stops: Option<LetterRule>,
    /// What becomes of `N` of bases and `X` of proteins: keep, strip, reject [default: keep]
    #[arg(long, value_name = "RULE", value_parser = named::<LetterRule>("keep, strip, reject"))]
    unknown: Option<LetterRule>,
}

impl RecordArgs {
    /// For the reader.
    pub(super) fn options(&self, measured: Option<String>) -> RecordOptions {
        RecordOptions {
            format: self.format.unwrap_or_default(),
            column: self.column.clone(),
            id: self.id.clone(),
            measured,
            header: self.header,
            quotes: self.quotes,
            letters: LetterRules {
                gaps: self.gaps,
                insertions: self.insertions,
                stops: self.stops,
                unknown: self.unknown,
            },
        }
    }
}

/// Reads a word as a run file does.
fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let known = words.split(", ").any(|word| word == text);
        let read = known.then(|| serde_json::from_value(text.into()).ok()).flatten();
        read.ok_or_else(|| format!("must be one of {words}"))
    }
}

fn format(text: &str) -> Result<FormatChoice, String> {
    let known = FORMATS.iter().filter(|format| format.holds_documents());
    let known: Vec<&str> = known.map(|format| format.name).collect();
    let found = FormatChoice::named(text).filter(|_| known.contains(&text));
    found.ok_or_else(|| format!("must be one of {}", known.join(", ")))
}

/// What was taken for what, and records that were left out: the first, and how many.
pub(super) fn show_reading(notes: &[String], refused: &[Refused]) {
    for note in notes {
        console::note(format!("note: {note}"));
    }
    for record in refused.iter().take(3) {
        console::note(format!("left out: {record}"));
    }
    if refused.len() > 3 {
        let count = console::count(refused.len() as u64);
        console::note(format!("left out: {count} records in all"));
    }
}
