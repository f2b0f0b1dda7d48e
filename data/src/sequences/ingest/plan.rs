//! What an ingest is asked to do. Also the table `[data.source]` of a run's config.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::formats::{DocumentRule, FormatChoice};
use crate::ingest::plan::{check_fraction, check_positive, plan};
use crate::sequences::GenerateSequences;

plan! {
    /// What to read, how, and where the dataset goes.
    pub struct SequencesIngest {
        /// Instead of inputs: data that the program makes itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub generate: Option<GenerateSequences>,
        /// Format of the inputs; guessed from each name by default. gzip is recognised in any.
        #[serde(default)]
        #[schemars(schema_with = "crate::formats::schema_of_documents")]
        pub format: FormatChoice,
        /// What a document of plain text is.
        #[serde(default)]
        pub documents: DocumentRule,
        /// Column of CSV, TSV and Parquet; field of JSONL, dotted for nested objects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub column: Option<String>,
        /// What makes tokens of text.
        pub tokenizer: TokenizerChoice,
        /// Fraction of documents held out, chosen by a hash of their text.
        #[serde(default = "default_validation_fraction")]
        pub validation_fraction: f64,
    }
}

/// What makes tokens of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenizerChoice {
    /// One token a byte.
    Byte,
    /// ESM-2's alphabet.
    AminoAcid,
    /// Bases and ambiguity codes.
    Nucleotide,
    /// Atom-wise SMILES; the vocabulary is what the data holds.
    Smiles,
    /// A Hugging Face `tokenizer.json`, or a folder that holds a tokenizer.
    File(PathBuf),
    /// Byte-level BPE learned from the data.
    TrainBpe {
        /// Tokens at most, 257 or more.
        vocab_size: u32,
    },
}

impl SequencesIngest {
    /// Reads `inputs` with every other option at its default.
    pub fn new(inputs: Vec<PathBuf>, tokenizer: TokenizerChoice, output: PathBuf) -> Self {
        let plain = plan!(Self {
            generate: None,
            format: FormatChoice::Guess,
            documents: DocumentRule::default(),
            column: None,
            tokenizer,
            validation_fraction: default_validation_fraction(),
        });
        Self { inputs, output, ..plain }
    }

    /// Makes its data itself; the tokenizer is the one that suits them.
    pub fn of_generated(generate: GenerateSequences, output: PathBuf) -> Self {
        let tokenizer = generate.tokenizer();
        Self { generate: Some(generate), ..Self::new(Vec::new(), tokenizer, output) }
    }

    /// Refuses values that cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        check_fraction("validation_fraction", self.validation_fraction, 0.9)?;
        self.asked().check()?;
        let DocumentRule::Pieces { min_bytes } = self.documents else { return Ok(()) };
        check_positive("documents.pieces.min_bytes", min_bytes)?;
        if min_bytes > self.max_record_bytes {
            let found = format!("it is {min_bytes}, max_record_bytes is {}", self.max_record_bytes);
            let fix = "lower it, or raise max_record_bytes";
            return Err(DataError::invalid("documents.pieces.min_bytes", found, fix));
        }
        Ok(())
    }
}

fn default_validation_fraction() -> f64 {
    0.05
}
