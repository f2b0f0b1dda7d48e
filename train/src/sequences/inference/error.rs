//! Why a trained model could not be used. Each message names the place, the values and the fix.

use std::path::{Path, PathBuf};

use genesis_model::ModelError;

use crate::exchange::ExchangeError;

/// Errors of generate, embed and score.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferenceError {
    /// The model could not be opened.
    #[error(transparent)]
    Open(#[from] ExchangeError),
    /// The model needs text and has no tokenizer.
    #[error(
        "{} has no tokenizer, so text cannot be turned into tokens\n\
         hint: put tokenizer.json beside config.json and import the folder again",
        path.display()
    )]
    NoTokenizer {
        /// The model.
        path: PathBuf,
    },
    /// The tokenizer has more tokens than the model has rows.
    #[error(
        "{}: the tokenizer has {tokenizer} tokens but the model's vocabulary is {model}\n\
         hint: tokenizer and weights come from different models",
        path.display()
    )]
    Vocabulary {
        /// The model.
        path: PathBuf,
        /// Tokens of the tokenizer.
        tokenizer: usize,
        /// Rows of the embedding.
        model: usize,
    },
    /// An option has a value that means nothing.
    #[error("{option} = {value}: {because}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Its value, as text.
        value: String,
        /// What is allowed.
        because: &'static str,
    },
    /// The model's architecture cannot do this.
    #[error("{}: {problem}", path.display())]
    Unsuitable {
        /// The model.
        path: PathBuf,
        /// Why, and what can be done instead.
        problem: String,
    },
    /// A sequence or variant of the input cannot be used.
    #[error("{}: record {record} (`{id}`): {problem}", path.display())]
    Record {
        /// Input file.
        path: PathBuf,
        /// Number of the record, from 1.
        record: usize,
        /// Its name.
        id: String,
        /// What is wrong and what would fix it.
        problem: String,
    },
    /// The input as a whole cannot be used.
    #[error("{}: {problem}", path.display())]
    Input {
        /// Input file.
        path: PathBuf,
        /// What is wrong and what would fix it.
        problem: String,
    },
    /// The text of a prompt or wild type cannot be encoded.
    #[error("{what}: {problem}")]
    Text {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The model's answer is not a number.
    #[error(
        "the model answers NaN after {tokens} tokens\n\
         hint: its training diverged; use an earlier checkpoint"
    )]
    NotFinite {
        /// Tokens seen so far.
        tokens: usize,
    },
    /// The network refused the input.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The operating system refused to read or write.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What was being done, as a verb phrase.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A table could not be written.
    #[error("{}: cannot write the table: {problem}", path.display())]
    Table {
        /// Output file.
        path: PathBuf,
        /// The writer's reason.
        problem: String,
    },
    /// The ending of an output file names no format.
    #[error("{}: the ending must be one of {endings}", path.display())]
    Ending {
        /// Output file.
        path: PathBuf,
        /// Endings that are understood.
        endings: &'static str,
    },
}

impl InferenceError {
    pub(crate) fn io(
        path: &Path,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> InferenceError {
        let path = path.to_path_buf();
        move |source| InferenceError::Io { path, action, source }
    }

    pub(crate) fn input(path: &Path, problem: impl Into<String>) -> InferenceError {
        InferenceError::Input { path: path.to_path_buf(), problem: problem.into() }
    }

    pub(crate) fn table(path: &Path, problem: &dyn std::fmt::Display) -> InferenceError {
        InferenceError::Table { path: path.to_path_buf(), problem: problem.to_string() }
    }
}
