//! Which run `train` and `plan` are about: a config file, or one of the built-in examples.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use genesis_train::families::FAMILIES;
use genesis_train::family::Example;
use genesis_train::keys::RunFile;

use crate::exit::{Code, OrExit};

/// The options that say which run is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Config file (TOML); plan.toml of an earlier run is one too
    config: Option<PathBuf>,
    /// A run that needs no files, instead of CONFIG [default: molecules]
    #[arg(long, value_parser = PossibleValuesParser::new(names()), conflicts_with = "config")]
    example: Option<String>,
    /// Override one value of the config, e.g. schedule.peak_rate=3e-4; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

/// The runs that the program has with it; they make their own data.
fn examples() -> impl Iterator<Item = &'static Example> {
    FAMILIES.iter().flat_map(|family| family.examples)
}

fn names() -> impl Iterator<Item = PossibleValue> {
    examples().map(|example| PossibleValue::new(example.name).help(example.about))
}

impl Settings {
    /// The run file with its overrides applied.
    pub(super) fn read(&self) -> anyhow::Result<RunFile> {
        let file = match (&self.config, &self.example) {
            (Some(file), _) => RunFile::read(file, &self.overrides),
            (None, name) => {
                let is_meant =
                    |example: &&Example| name.as_ref().is_none_or(|name| name == example.name);
                let text = examples().find(is_meant).map_or("", |example| example.text);
                RunFile::parse("the built-in example", text, &self.overrides)
            }
        };
        file.or_exit(Code::Usage)
    }
}
