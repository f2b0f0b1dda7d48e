//! What an ingest is asked to do. Also the table `[data.source]` of a run's config.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::formats::{DocumentRule, FormatChoice};
use crate::ingest::DEFAULT_MAX_RECORD_BYTES;
use crate::sequences::GenerateSequences;

/// What to read, how, and where the dataset goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequencesIngest {
    /// Files and folders; a folder stands for all files in it, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PathBuf>,
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
    /// The dataset folder. A run config leaves it out: it follows from the run folder.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub output: PathBuf,
    /// Fraction of documents held out, chosen by a hash of their text.
    #[serde(default = "default_validation_fraction")]
    pub validation_fraction: f64,
    /// Bytes of tokens after which a shard ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_shard_bytes: Option<u64>,
    /// A longer record is rejected without being read into memory.
    #[serde(default = "default_max_record_bytes")]
    pub max_record_bytes: u64,
    /// The ingest fails if a larger fraction of records is rejected.
    #[serde(default = "default_max_reject_fraction")]
    pub max_reject_fraction: f64,
    /// Keep exact duplicates of documents (and do without 16 bytes of memory a document).
    #[serde(default)]
    pub keep_duplicates: bool,
    /// Replace a dataset that is in the output folder.
    #[serde(default)]
    pub overwrite: bool,
    /// Threads; all cores by default. The result does not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Short name of the dataset; the first input's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A sentence or more for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Licence of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Handling classification of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
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
        Self {
            inputs,
            generate: None,
            format: FormatChoice::Guess,
            documents: DocumentRule::default(),
            column: None,
            tokenizer,
            output,
            validation_fraction: default_validation_fraction(),
            max_shard_bytes: None,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            max_reject_fraction: default_max_reject_fraction(),
            keep_duplicates: false,
            overwrite: false,
            threads: None,
            name: None,
            description: String::new(),
            licence: None,
            classification: None,
        }
    }

    /// Makes its data itself; the tokenizer is the one that suits them.
    pub fn of_generated(generate: GenerateSequences, output: PathBuf) -> Self {
        let tokenizer = generate.tokenizer();
        Self { generate: Some(generate), ..Self::new(Vec::new(), tokenizer, output) }
    }

    /// Refuses values that cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        let fraction = |name: &str, value: f64, below: f64| {
            if (0.0..=below).contains(&value) {
                return Ok(());
            }
            let found = format!("it is {value}");
            Err(DataError::invalid(name, found, format!("choose a number from 0 to {below}")))
        };
        fraction("validation_fraction", self.validation_fraction, 0.9)?;
        fraction("max_reject_fraction", self.max_reject_fraction, 1.0)?;
        if self.inputs.is_empty() == self.generate.is_none() {
            let found = if self.generate.is_none() { "neither is" } else { "both are" };
            return Err(DataError::invalid(
                "inputs, generate",
                format!("{found} given"),
                "name input files, or a built-in generator",
            ));
        }
        if is_empty(&self.output) {
            return Err(DataError::invalid("output", "it is empty", "name the dataset folder"));
        }
        self.check_sizes()
    }

    fn check_sizes(&self) -> Result<()> {
        let positive = |name: &str, value: u64| {
            if value > 0 {
                return Ok(());
            }
            Err(DataError::invalid(name, "it is 0", "choose 1 or more, or leave it out"))
        };
        positive("max_record_bytes", self.max_record_bytes)?;
        positive("max_shard_bytes", self.max_shard_bytes.unwrap_or(1))?;
        positive("threads", self.threads.unwrap_or(1) as u64)?;
        let DocumentRule::Pieces { min_bytes } = self.documents else { return Ok(()) };
        positive("documents.pieces.min_bytes", min_bytes)?;
        if min_bytes > self.max_record_bytes {
            let found = format!("it is {min_bytes}, max_record_bytes is {}", self.max_record_bytes);
            let fix = "lower it, or raise max_record_bytes";
            return Err(DataError::invalid("documents.pieces.min_bytes", found, fix));
        }
        Ok(())
    }

    /// The name given, else that of the first input: the output folder shapes nothing.
    pub(crate) fn shown_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        if let Some(generate) = &self.generate {
            return generate.name().to_owned();
        }
        let first = self.inputs.first().and_then(|path| path.file_name()).unwrap_or_default();
        let first = first.to_string_lossy();
        first.split('.').next().unwrap_or_default().to_owned()
    }

    /// The options that shape the dataset; where it lies and how fast it is made do not.
    pub fn recorded_options(&self) -> Result<serde_json::Value> {
        let shaping =
            Self { output: PathBuf::new(), overwrite: false, threads: None, ..self.clone() };
        let mut options = serde_json::to_value(shaping)
            .map_err(|e| DataError::invalid("options", e.to_string(), "use paths in UTF-8"))?;
        if let Some(options) = options.as_object_mut() {
            options.remove("overwrite");
        }
        Ok(options)
    }
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn default_validation_fraction() -> f64 {
    0.05
}

fn default_max_record_bytes() -> u64 {
    DEFAULT_MAX_RECORD_BYTES
}

fn default_max_reject_fraction() -> f64 {
    0.1
}
