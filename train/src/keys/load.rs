//! A run file and its overrides to a checked configuration, or every problem at once.
//!
//! Order: TOML text, `--set` values, `${NAME}` in paths, structure, meaning. `model.kind` decides
//! which root a file has. The environment is read here and nowhere else in the crate.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::atoms::{self, AtomsConfig};
use super::check::check;
use super::environment::{PATH_KEYS, escape, expand_paths};
use super::path;
use super::problem::{ConfigProblem, ConfigProblems, nearest};
use super::repair::read;
use super::run::RunConfig;
use super::source::Source;

/// Kinds of models, sequences first; [`KINDS_OF_ATOMS`] are those of atoms.
const KINDS: [&str; 4] = ["gpt2", "llama", "esm2", "mace"];
const KINDS_OF_ATOMS: [&str; 1] = ["mace"];

/// What a run file as a whole can be.
pub trait Root: Serialize + DeserializeOwned {
    /// Every problem of meaning.
    fn problems(&self) -> Vec<ConfigProblem>;
}

impl Root for RunConfig {
    fn problems(&self) -> Vec<ConfigProblem> {
        check(self)
    }
}

impl Root for AtomsConfig {
    fn problems(&self) -> Vec<ConfigProblem> {
        atoms::check(self)
    }
}

/// A run file of either family.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyConfig {
    /// Of a model of sequences.
    Sequences(Box<RunConfig>),
    /// Of a model of atoms.
    Atoms(Box<AtomsConfig>),
}

impl AnyConfig {
    /// What makes the run itself.
    pub fn run(&self) -> &super::run::RunTable {
        match self {
            Self::Sequences(config) => &config.run,
            Self::Atoms(config) => &config.run,
        }
    }
}

/// As [`load`], whichever family the file is of.
///
/// # Errors
/// As [`load`].
pub fn load_any(file: &Path, overrides: &[String]) -> Result<AnyConfig, ConfigProblems> {
    let (name, text) = read_file(file)?;
    load_any_text(&name, &text, overrides, &environment)
}

/// As [`load_any`], from text.
///
/// # Errors
/// As [`load`].
pub fn load_any_text(
    name: &str,
    text: &str,
    overrides: &[String],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<AnyConfig, ConfigProblems> {
    let (source, problems) = parse(name, text, overrides)?;
    if is_of_atoms(&source.tree) {
        finish(name, source, problems, lookup).map(|config| AnyConfig::Atoms(Box::new(config)))
    } else {
        finish(name, source, problems, lookup).map(|config| AnyConfig::Sequences(Box::new(config)))
    }
}

/// Whether `model.kind` names, or means to name, a model of atoms.
fn is_of_atoms(tree: &Value) -> bool {
    let kind = tree.get("model").and_then(|model| model.get("kind")).and_then(Value::as_str);
    let meant = kind.and_then(|kind| nearest(kind, &KINDS));
    meant.is_some_and(|kind| KINDS_OF_ATOMS.contains(&kind))
}

/// Reads the run file of sequences at `file` and applies `overrides` (`table.key=value`) in order.
///
/// # Errors
/// Every problem of the file: syntax, unknown keys and names with the nearest valid one, wrong
/// types, missing keys, values out of range, unset environment variables.
pub fn load(file: &Path, overrides: &[String]) -> Result<RunConfig, ConfigProblems> {
    let (name, text) = read_file(file)?;
    load_text(&name, &text, overrides, &environment)
}

fn read_file(file: &Path) -> Result<(String, String), ConfigProblems> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(ConfigProblems::whole(&name, format!("cannot read it: {error}"))),
    }
}

/// As [`load`], from text. `name` stands for the file in messages, `lookup` for the environment.
pub fn load_text(
    name: &str,
    text: &str,
    overrides: &[String],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<RunConfig, ConfigProblems> {
    let (source, problems) = parse(name, text, overrides)?;
    finish(name, source, problems, lookup)
}

/// The tree of a file with its overrides, and what is wrong with these.
fn parse(
    name: &str,
    text: &str,
    overrides: &[String],
) -> Result<(Source, Vec<ConfigProblem>), ConfigProblems> {
    let mut source = Source::parse(text).map_err(|all| ConfigProblems::new(name, all))?;
    let problems = overrides.iter().filter_map(|text| source.set(text).err()).collect();
    Ok((source, problems))
}

fn finish<R: Root>(
    name: &str,
    mut source: Source,
    mut problems: Vec<ConfigProblem>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<R, ConfigProblems> {
    problems.extend(expand_paths(&mut source.tree, lookup));
    let reading = read::<R>(&source.tree);
    problems.extend(reading.problems);
    if let Some(config) = &reading.value {
        problems.extend(meaningful(config.problems(), &reading.muted));
    }
    source.locate(&mut problems);
    match reading.value {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigProblems::new(name, problems)),
    }
}

/// The text of a run file that reads back as `config`, every default written out.
pub fn to_text<R: Root>(config: &R) -> Result<String, ConfigProblems> {
    let fail = |error: &dyn std::fmt::Display| {
        ConfigProblems::whole("plan.toml", format!("cannot be written as TOML: {error}"))
    };
    let mut tree = toml::Value::try_from(config).map_err(|e| fail(&e))?;
    for key in PATH_KEYS {
        let at = key.split('.').fold(path::Path::default(), |path, key| path.key(key));
        for place in at.descend(&tree) {
            if let Some(toml::Value::String(text)) = place.find(&tree) {
                let escaped = toml::Value::String(escape(text));
                place.put(&mut tree, escaped);
            }
        }
    }
    toml::to_string_pretty(&tree).map_err(|e| fail(&e))
}

/// Problems of meaning, without those about stand-ins for values already complained about.
fn meaningful(
    problems: Vec<ConfigProblem>,
    muted: &[path::Path],
) -> impl Iterator<Item = ConfigProblem> {
    let muted: Vec<String> = muted.iter().map(ToString::to_string).collect();
    problems.into_iter().filter(move |problem| {
        !muted.iter().any(|m| problem.path.starts_with(m.as_str()) || problem.message.contains(m))
    })
}

fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the place where it is read")]
    std::env::var(name).ok()
}
