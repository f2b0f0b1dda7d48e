//! The families of models: `model.kind` decides which one a run file is of.

use std::path::Path;

use crate::keys::{ConfigProblems, Lookup, RunFile, RunTable, environment, nearest};
use crate::report::Declaration;
use crate::sequences::SequencesConfig;
use crate::structures::StructuresConfig;

/// Kinds of models, sequences first; [`KINDS_OF_ATOMS`] are those of atoms.
const KINDS: [&str; 4] = ["gpt2", "llama", "esm2", "mace"];
const KINDS_OF_ATOMS: [&str; 1] = ["mace"];

/// A run file of either family.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyConfig {
    /// Of a model of sequences.
    Sequences(Box<SequencesConfig>),
    /// Of a model of atoms.
    Structures(Box<StructuresConfig>),
}

impl AnyConfig {
    /// What makes the run itself.
    pub fn run(&self) -> &RunTable {
        match self {
            Self::Sequences(config) => &config.run,
            Self::Structures(config) => &config.run,
        }
    }
}

/// What every family declares to the report.
pub static DECLARATIONS: [&Declaration; 2] =
    [&crate::sequences::figures::DECLARATION, &crate::structures::figures::DECLARATION];

/// Reads `file` as a run of the family that its `model.kind` names.
///
/// # Errors
/// As [`RunFile::check`].
pub fn load_any(file: &Path, overrides: &[String]) -> Result<AnyConfig, ConfigProblems> {
    check(RunFile::read(file, overrides)?, &environment)
}

/// As [`load_any`], from text.
///
/// # Errors
/// As [`RunFile::check`].
pub fn load_any_text(
    name: &str,
    text: &str,
    overrides: &[String],
    lookup: Lookup<'_>,
) -> Result<AnyConfig, ConfigProblems> {
    check(RunFile::parse(name, text, overrides)?, lookup)
}

fn check(file: RunFile, lookup: Lookup<'_>) -> Result<AnyConfig, ConfigProblems> {
    if is_of_atoms(&file) {
        file.check(lookup).map(|config| AnyConfig::Structures(Box::new(config)))
    } else {
        file.check(lookup).map(|config| AnyConfig::Sequences(Box::new(config)))
    }
}

/// Whether `model.kind` names, or means to name, a model of atoms.
fn is_of_atoms(file: &RunFile) -> bool {
    let meant = file.kind().and_then(|kind| nearest(kind, &KINDS));
    meant.is_some_and(|kind| KINDS_OF_ATOMS.contains(&kind))
}

#[cfg(test)]
mod figures_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_kind_is_still_of_its_family_and_named() {
        for (kind, valid) in [("mcae", "mace"), ("lama", "llama")] {
            let text = format!("[model]\nkind = \"{kind}\"\n");
            let error = load_any_text("run.toml", &text, &[], &|_| None).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean `{valid}`?")), "{error}");
        }
    }
}
