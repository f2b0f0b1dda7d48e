//! Which run `train` and `plan` are about: a config file, or one of the built-in examples.

use std::path::PathBuf;

use genesis_train::families::{AnyConfig, load_any, load_any_text};

use crate::exit::{Code, OrExit};

/// The options that say which run is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Config file (TOML); plan.toml of an earlier run is one too
    config: Option<PathBuf>,
    /// A run that needs no files, instead of CONFIG [default: molecules]
    #[arg(long, value_enum, conflicts_with = "config")]
    example: Option<Example>,
    /// Override one value of the config, e.g. schedule.peak_rate=3e-4; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

/// The runs that the program has with it; they make their own data.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Example {
    /// A small Llama on molecules written as SMILES
    Molecules,
    /// A small MACE on crystals of silicon
    Silicon,
}

impl Example {
    fn text(self) -> &'static str {
        match self {
            Self::Molecules => include_str!("../../../configs/transformer/quickstart.toml"),
            Self::Silicon => include_str!("../../../configs/equivariant/quickstart.toml"),
        }
    }
}

impl Settings {
    /// The config with its overrides applied.
    pub(super) fn read(&self) -> anyhow::Result<AnyConfig> {
        if let Some(file) = &self.config {
            return load_any(file, &self.overrides).or_exit(Code::Usage);
        }
        let text = self.example.unwrap_or(Example::Molecules).text();
        // The built-in configs name no environment variable.
        load_any_text("the built-in example", text, &self.overrides, &|_| None).or_exit(Code::Usage)
    }
}
