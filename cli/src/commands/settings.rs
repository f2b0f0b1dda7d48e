//! Reading the config file of `train` and `plan`, or the built-in quick start.

use std::path::Path;

use genesis_train::config::{AnyConfig, load_any, load_any_text};

use crate::exit::{Code, OrExit};

/// The run that `genesis train` does without a config.
const QUICKSTART: &str = include_str!("../../../configs/transformer/quickstart.toml");

/// The config in `file` (or the quick start) with `overrides` applied.
pub(super) fn read(file: Option<&Path>, overrides: &[String]) -> anyhow::Result<AnyConfig> {
    match file {
        Some(file) => load_any(file, overrides).or_exit(Code::Usage),
        None => {
            // The built-in config names no environment variable.
            load_any_text("the built-in quick start", QUICKSTART, overrides, &|_| None)
                .or_exit(Code::Usage)
        }
    }
}
