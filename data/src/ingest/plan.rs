//! What every ingest is asked, whatever its kind: files, folder, limits, words for people.
//!
//! [`plan!`] declares the plan of a kind around these options, [`Asked`] is what shared code sees
//! of it. Not here: options of one kind, which stand beside its reader.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::error::{DataError, Result};

/// Longest record that is read into memory, 64 MiB.
pub const DEFAULT_MAX_RECORD_BYTES: u64 = 64 << 20;

/// Declares the plan of a kind, and makes one with the shared options at their defaults. The kind says
/// in `generated(&self)` which built-in generator is asked for, by name, if it has any.
///
/// A macro and not a struct in a struct: keys of both stand side by side in a run file, and only of
/// a struct's own fields can serde say which one an unknown key could have meant.
macro_rules! plan {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name {
            /// Files and folders; a folder stands for all files in it, sorted by name.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub inputs: Vec<PathBuf>,
            $($own)*
            /// The dataset folder. A run config leaves it out: it follows from the run folder.
            #[serde(default, skip_serializing_if = "crate::ingest::plan::is_empty")]
            pub output: PathBuf,
            /// Bytes after which a shard ends (of its tokens; structures: of the shard).
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub max_shard_bytes: Option<u64>,
            /// A longer record is rejected (of FASTA: cut) without being kept in memory.
            #[serde(default = "crate::ingest::plan::max_record_bytes")]
            pub max_record_bytes: u64,
            /// The ingest fails if a larger fraction of the records is rejected, or of their bytes.
            #[serde(default = "crate::ingest::plan::max_reject_fraction")]
            pub max_reject_fraction: f64,
            /// Keep samples that equal an earlier one: documents in their tokens, structures in atoms,
            /// cell and labels (and do without 16 bytes of memory a sample).
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

        impl $name {
            /// What every ingest is asked.
            pub(crate) fn asked(&self) -> crate::ingest::plan::Asked<'_> {
                crate::ingest::plan::Asked {
                    inputs: &self.inputs,
                    generated: self.generated(),
                    output: &self.output,
                    max_shard_bytes: self.max_shard_bytes,
                    max_record_bytes: self.max_record_bytes,
                    max_reject_fraction: self.max_reject_fraction,
                    overwrite: self.overwrite,
                    threads: self.threads,
                    name: self.name.as_deref(),
                    description: &self.description,
                    licence: self.licence.as_deref(),
                    classification: self.classification.as_deref(),
                }
            }

            /// The options that shape the dataset; where it lies and how fast it is made do not.
            ///
            /// # Errors
            /// Paths that are not UTF-8.
            pub fn recorded_options(&self) -> Result<serde_json::Value> {
                let output = PathBuf::new();
                let shaping = Self { output, overwrite: false, threads: None, ..self.clone() };
                crate::ingest::plan::recorded(&shaping)
            }
        }
    };
    (Self { $($own:tt)* }) => {
        Self {
            $($own)*
            inputs: Vec::new(),
            output: PathBuf::new(),
            max_shard_bytes: None,
            max_record_bytes: crate::ingest::plan::max_record_bytes(),
            max_reject_fraction: crate::ingest::plan::max_reject_fraction(),
            keep_duplicates: false,
            overwrite: false,
            threads: None,
            name: None,
            description: String::new(),
            licence: None,
            classification: None,
        }
    };
}
pub(crate) use plan;

/// The options of a plan that its kind does not matter to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'p> {
    pub(crate) inputs: &'p [PathBuf],
    /// The built-in generator, by name.
    pub(crate) generated: Option<&'static str>,
    pub(crate) output: &'p Path,
    pub(crate) max_shard_bytes: Option<u64>,
    pub(crate) max_record_bytes: u64,
    pub(crate) max_reject_fraction: f64,
    pub(crate) overwrite: bool,
    pub(crate) threads: Option<usize>,
    pub(crate) name: Option<&'p str>,
    pub(crate) description: &'p str,
    pub(crate) licence: Option<&'p str>,
    pub(crate) classification: Option<&'p str>,
}

impl Asked<'_> {
    /// Refuses values that cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        if self.inputs.is_empty() == self.generated.is_none() {
            let found =
                if self.generated.is_none() { "neither is given" } else { "both are given" };
            let fix = "name input files, or a built-in generator";
            return Err(DataError::invalid("inputs, generate", found, fix));
        }
        if is_empty(self.output) {
            return Err(DataError::invalid("output", "it is empty", "name the dataset folder"));
        }
        check_fraction("max_reject_fraction", self.max_reject_fraction, 1.0)?;
        check_positive("max_record_bytes", self.max_record_bytes)?;
        check_positive("max_shard_bytes", self.max_shard_bytes.unwrap_or(1))?;
        check_positive("threads", self.threads.unwrap_or(1) as u64)
    }

    /// The name given, else that of the first input: the output folder shapes nothing.
    pub(crate) fn shown_name(&self) -> String {
        let first = || {
            let name = self.inputs.first().and_then(|path| path.file_name()).unwrap_or_default();
            name.to_string_lossy().split('.').next().unwrap_or_default().to_owned()
        };
        self.name.or(self.generated).map_or_else(first, str::to_owned)
    }
}

pub(crate) fn check_fraction(name: &str, value: f64, most: f64) -> Result<()> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    let fix = format!("choose a number from 0 to {most}");
    Err(DataError::invalid(name, format!("it is {value}"), fix))
}

pub(crate) fn check_positive(name: &str, value: u64) -> Result<()> {
    if value > 0 {
        return Ok(());
    }
    Err(DataError::invalid(name, "it is 0", "choose 1 or more, or leave it out"))
}

/// The options of a plan as the card lists them. `overwrite` gives its place to the last option:
/// digests of datasets depend on that order for ever.
pub(crate) fn recorded(plan: &impl Serialize) -> Result<Value> {
    let mut options = serde_json::to_value(plan)
        .map_err(|e| DataError::invalid("options", e.to_string(), "use paths in UTF-8"))?;
    if let Some(options) = options.as_object_mut() {
        options.swap_remove("overwrite");
    }
    Ok(options)
}

pub(crate) fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

pub(crate) fn max_record_bytes() -> u64 {
    DEFAULT_MAX_RECORD_BYTES
}

pub(crate) fn max_reject_fraction() -> f64 {
    0.1
}
