//! What ends an ingest. Single bad records do not: they are rejects.

use std::path::PathBuf;

use crate::error::DataError;

use super::{Counted, Reject};

/// An ingest that could not finish. Nothing half-written remains.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Files, options, tokenizer or shards.
    #[error(transparent)]
    Data(#[from] DataError),

    /// So many records were refused that the data cannot be what the options say.
    #[error("{}", rejected_message(.counted, *.limit, .first, .hint.as_deref()))]
    Rejected {
        /// Records read and refused, and their bytes.
        counted: Counted,
        /// The fraction that the plan allows.
        limit: f64,
        /// The first three.
        first: Vec<Reject>,
        /// What the options assumed that may be wrong.
        hint: Option<String>,
    },

    /// Records were lost between a reader and the dataset.
    #[error(
        "the records do not add up: {problem}\n  fix: this is a fault of the program; please report it"
    )]
    Miscounted {
        /// The numbers.
        problem: String,
    },

    /// All documents fell into the validation split.
    #[error(
        "all {documents} documents fell into the validation split, none is left to train on\n  \
         fix: set validation_fraction to 0, or cut the input into more documents"
    )]
    NothingToTrainOn {
        /// How many there are.
        documents: u64,
    },

    /// The output folder is in use for something else.
    #[error("{}: {problem}\n  fix: {fix}", path.display())]
    Output {
        /// The folder.
        path: PathBuf,
        /// What stands in the way.
        problem: String,
        /// The way out.
        fix: String,
    },
}

fn rejected_message(counted: &Counted, limit: f64, first: &[Reject], hint: Option<&str>) -> String {
    let Counted { records, rejected, bytes, rejected_bytes, .. } = *counted;
    let mut message = if rejected == records {
        format!("every record was rejected ({records})")
    } else {
        let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        format!(
            "{rejected} of {records} records were rejected ({:.1} %), with {rejected_bytes} of the \
             {bytes} letters or bytes that all hold ({:.1} %); of either at most {} % may be",
            percent(rejected, records),
            percent(rejected_bytes, bytes),
            100.0 * limit
        )
    };
    for reject in first {
        message.push_str("\n  ");
        message.push_str(&reject.to_string());
    }
    if let Some(hint) = hint {
        message.push_str("\n  ");
        message.push_str(hint);
    }
    message.push_str(
        "\n  fix: check the format, the column and the tokenizer, or raise max_reject_fraction",
    );
    message
}
