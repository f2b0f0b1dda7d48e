//! What an ingest is asked to do. Also the table `[data.source]` of a run's config.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::formats::{self, DocumentRule, FormatChoice, LongRecords, Quotes};
use crate::ingest::plan::{check_fraction, check_positive, plan};
use crate::sequences::{GenerateSequences, LetterRules};

plan! {
    /// What to read, how, and where the dataset goes.
    pub struct SequencesIngest {
        /// Instead of inputs: data that the program makes itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub generate: Option<GenerateSequences>,
        /// Format of the inputs; guessed from each name by default. gzip is recognised in any.
        #[serde(default)]
        #[schemars(schema_with = "formats")]
        pub format: FormatChoice,
        /// What a document of plain text is.
        #[serde(default)]
        pub documents: DocumentRule,
        /// Column of CSV, TSV and Parquet; field of JSONL, dotted for nested objects. Columns of a
        /// table without a header line are numbered from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub column: Option<String>,
        /// Whether the first line of CSV, TSV or a list of SMILES names the columns. By default it must
        /// tell by itself, and does by usual names; else the ingest asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub header: Option<bool>,
        /// What quotes are in a table: they enclose `fields` (the default of CSV), or are `text` (that
        /// of TSV).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub quotes: Option<Quotes>,
        /// What becomes of a FASTA record beyond `max_record_bytes`: `cut` into pieces, each a document
        /// (the default, but not of SMILES), or `reject`. Records of other formats are rejected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub long_records: Option<LongRecords>,
        /// What makes tokens of text.
        pub tokenizer: TokenizerChoice,
        /// What becomes of letters that are no residue: gaps, insertions, stops, `N` and `X`. Of amino
        /// acids and nucleotides only.
        #[serde(default, skip_serializing_if = "LetterRules::is_default")]
        pub letters: LetterRules,
        /// Fraction of documents held out, chosen by a hash of the text that their tokens spell; 1 for a
        /// set that is only measured.
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

/// The formats that may be chosen.
fn formats(_: &mut SchemaGenerator) -> Schema {
    formats::schema(super::WANTED)
}

impl SequencesIngest {
    /// The built-in generator, by name.
    pub(crate) fn generated(&self) -> Option<&'static str> {
        self.generate.as_ref().map(GenerateSequences::name)
    }

    /// Reads `inputs` with every other option at its default.
    pub fn new(inputs: Vec<PathBuf>, tokenizer: TokenizerChoice, output: PathBuf) -> Self {
        let plain = plan!(Self {
            generate: None,
            format: FormatChoice::Guess,
            documents: DocumentRule::default(),
            column: None,
            header: None,
            quotes: None,
            long_records: None,
            tokenizer,
            letters: LetterRules::default(),
            validation_fraction: default_validation_fraction(),
        });
        Self { inputs, output, ..plain }
    }

    /// Makes its data itself; the tokenizer is the one that suits them.
    pub fn of_generated(generate: GenerateSequences, output: PathBuf) -> Self {
        let tokenizer = generate.tokenizer();
        Self { generate: Some(generate), ..Self::new(Vec::new(), tokenizer, output) }
    }

    /// What becomes of long records: half a molecule is none, half a chromosome is.
    pub(super) fn long_records(&self) -> LongRecords {
        let whole = self.tokenizer == TokenizerChoice::Smiles;
        let usual = if whole { LongRecords::Reject } else { LongRecords::Cut };
        self.long_records.unwrap_or(usual)
    }

    /// Refuses values that cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        check_fraction("validation_fraction", self.validation_fraction, 1.0)?;
        self.asked().check()?;
        match self.documents {
            DocumentRule::Pieces { min_bytes } => {
                check_positive("documents.pieces.min_bytes", min_bytes)
            }
            _ => Ok(()),
        }
    }

    /// Refuses pieces of text that would be longer than a record may be.
    pub(super) fn check_pieces(&self) -> Result<()> {
        match self.documents {
            DocumentRule::Pieces { min_bytes } if min_bytes > self.max_record_bytes => {
                let found =
                    format!("it is {min_bytes}, max_record_bytes is {}", self.max_record_bytes);
                let fix = "lower it, or raise max_record_bytes";
                Err(DataError::invalid("documents.pieces.min_bytes", found, fix))
            }
            _ => Ok(()),
        }
    }
}

fn default_validation_fraction() -> f64 {
    0.05
}
