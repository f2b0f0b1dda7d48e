//! What ends an ingest. Single bad records do not: they are rejects.

use std::path::PathBuf;

use crate::error::DataError;

use super::Reject;

/// An ingest that could not finish. Nothing half-written remains.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Files, options, tokenizer or shards.
    #[error(transparent)]
    Data(#[from] DataError),

    /// So many records were refused that the data cannot be what the options say.
    #[error("{}", rejected_message(*.rejected, *.total, *.limit, .first, .hint.as_deref()))]
    Rejected {
        /// Records refused.
        rejected: u64,
        /// Records read.
        total: u64,
        /// The fraction that the plan allows.
        limit: f64,
        /// The first three.
        first: Vec<Reject>,
        /// What the options assumed that may be wrong.
        hint: Option<String>,
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

fn rejected_message(
    rejected: u64,
    total: u64,
    limit: f64,
    first: &[Reject],
    hint: Option<&str>,
) -> String {
    let mut message = if rejected == total {
        format!("every record was rejected ({total})")
    } else {
        let percent = 100.0 * rejected as f64 / total as f64;
        format!(
            "{rejected} of {total} records were rejected ({percent:.1} %); at most {} % may be",
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
