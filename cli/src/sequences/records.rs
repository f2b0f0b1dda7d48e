//! How a file of sequences is read, and what was left out of it.

use genesis_data::formats::{FORMATS, FormatChoice};
use genesis_train::sequences::inference::{RecordOptions, Refused};

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
}

impl RecordArgs {
    /// For the reader.
    pub(super) fn options(&self, measured: Option<String>) -> RecordOptions {
        RecordOptions {
            format: self.format.unwrap_or_default(),
            column: self.column.clone(),
            id: self.id.clone(),
            measured,
        }
    }
}

fn format(text: &str) -> Result<FormatChoice, String> {
    let known = FORMATS.iter().filter(|format| format.holds_documents());
    let known: Vec<&str> = known.map(|format| format.name).collect();
    let found = FormatChoice::named(text).filter(|_| known.contains(&text));
    found.ok_or_else(|| format!("must be one of {}", known.join(", ")))
}

/// Records that were left out: the first, and how many.
pub(super) fn show_refused(refused: &[Refused]) {
    for record in refused.iter().take(3) {
        console::note(format!("left out: {record}"));
    }
    if refused.len() > 3 {
        let count = console::count(refused.len() as u64);
        console::note(format!("left out: {count} records in all"));
    }
}
