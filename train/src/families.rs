//! The families of models, one line each: `model.kind` decides which one a run file is of, and a
//! checkpoint says it by name.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::family::{Example, Family};
use crate::keys::{ConfigProblems, Lookup, RunFile, nearest, to_text};
use crate::report::Declaration;

/// Every family.
pub static FAMILIES: &[Listed] = &[
    // A run file of no known kind is read as one of this.
    Listed::of::<crate::sequences::Sequences>(),
    Listed::of::<crate::structures::Structures>(),
];

/// A family, by what needs none of its types.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// What checkpoints call it.
    pub name: &'static str,
    /// Values of `model.kind`.
    pub kinds: &'static [&'static str],
    /// Runs that need no files.
    pub examples: &'static [Example],
    /// What it declares to the report.
    pub figures: &'static Declaration,
    written: fn(RunFile, Lookup<'_>) -> Result<String, ConfigProblems>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl Listed {
    const fn of<F: Family>() -> Self {
        Self {
            name: F::NAME,
            kinds: F::KINDS,
            examples: F::EXAMPLES,
            figures: F::FIGURES,
            written: written::<F>,
            schema: SchemaGenerator::subschema_for::<F::Config>,
        }
    }

    /// `file` checked and written out again with every default.
    ///
    /// # Errors
    /// As [`RunFile::check`].
    pub fn written(&self, file: RunFile, lookup: Lookup<'_>) -> Result<String, ConfigProblems> {
        (self.written)(file, lookup)
    }
}

/// What every family declares to the report.
pub fn declarations() -> Vec<&'static Declaration> {
    FAMILIES.iter().map(|family| family.figures).collect()
}

/// What may be written in a run file of any family, as a JSON schema.
pub fn schema() -> Value {
    let mut generator = SchemaGenerator::default();
    let files: Vec<Schema> = FAMILIES.iter().map(|it| (it.schema)(&mut generator)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A run file of Genesis",
        "anyOf": files,
        "$defs": generator.take_definitions(true),
    })
}

fn written<F: Family>(file: RunFile, lookup: Lookup<'_>) -> Result<String, ConfigProblems> {
    to_text(&file.check::<F::Config>(lookup)?)
}

/// The family whose `model.kind` the file names, or means to name.
pub fn of(file: &RunFile) -> &'static Listed {
    let kinds: Vec<&str> =
        FAMILIES.iter().flat_map(|family| family.kinds.iter().copied()).collect();
    let meant = file.kind().and_then(|kind| nearest(kind, &kinds));
    let family = meant.and_then(|kind| FAMILIES.iter().find(|family| family.kinds.contains(&kind)));
    family.unwrap_or(&FAMILIES[0])
}

#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod keys_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_kind_is_still_of_its_family_and_named() {
        for (kind, valid, family) in
            [("mcae", "mace", "structures"), ("lama", "llama", "sequences")]
        {
            let text = format!("[model]\nkind = \"{kind}\"\n");
            let file = RunFile::parse("run.toml", &text, &[]).unwrap();
            let found = of(&file);
            assert_eq!(found.name, family);
            let error = found.written(file, &|_| None).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean `{valid}`?")), "{error}");
        }
    }

    #[test]
    fn names_kinds_and_examples_are_those_of_one_family_each() {
        let unique = |names: Vec<&str>| {
            let mut sorted = names.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), names.len(), "{names:?}");
        };
        unique(FAMILIES.iter().map(|family| family.name).collect());
        unique(FAMILIES.iter().flat_map(|family| family.kinds).copied().collect());
        unique(FAMILIES.iter().flat_map(|it| it.examples).map(|it| it.name).collect());
    }

    #[test]
    fn every_example_is_a_run_file_of_its_family() {
        for family in FAMILIES {
            for example in family.examples {
                let file = RunFile::parse(example.name, example.text, &[]).unwrap();
                assert_eq!(of(&file).name, family.name, "{}", example.name);
                family.written(file, &|_| None).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}
